/** Words that need no quotes in a shell. */
const PLAIN = /^[\w@%+=:,./-]+$/

/** Writes an argument vector as a command for a POSIX shell, to read or to paste into a terminal. */
export function shellCommand(words: readonly string[]): string {
  return words.map((word, place) => (isPlain(word, place === 0) ? word : quoted(word))).join(' ')
}

/** The command of a job, which is an argument vector as a JSON string. Other texts are returned unchanged. */
export function commandText(command: string): string {
  try {
    const words: unknown = JSON.parse(command)
    return Array.isArray(words) ? shellCommand(words.map(String)) : command
  } catch {
    return command
  }
}

/** `NAME=value` at the start would set a variable. */
function isPlain(word: string, isFirst: boolean): boolean {
  return PLAIN.test(word) && !(isFirst && word.includes('='))
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
