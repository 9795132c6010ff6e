/** Words for origins without an address. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['host', 'the host itself'],
  ['unix', 'a socket on the host'],
])

/** The origin of a request: its address, or words. */
export function addressWords(address: string): string {
  return WORDS.get(address) ?? address
}
