/** What stands instead of an address where there is none. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['host', 'the host itself'],
  ['unix', 'a socket on the host'],
])

/** Where a request came from: its address, or words. */
export function addressWords(address: string): string {
  return WORDS.get(address) ?? address
}
