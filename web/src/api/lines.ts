/**
 * Lines of JSON from a response that may still be growing.
 *
 * The bytes come in pieces that end anywhere, also within a character. What follows the last newline is no line: the
 * response was cut off.
 *
 * @throws SyntaxError for a line that is no JSON, and whatever the body fails with.
 */
export async function* jsonLines(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) {
        return
      }
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        yield JSON.parse(line)
      }
    }
  } finally {
    // Whoever stops reading does not want the rest.
    await reader.cancel().catch(() => undefined)
  }
}
