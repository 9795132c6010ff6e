/**
 * The lines of JSON in a response that may still be growing.
 *
 * The pieces of the body can end anywhere, also within a character. Text after the last newline is dropped, as the
 * response was cut off.
 *
 * @throws SyntaxError for an invalid line, and any error of the body.
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
    // The rest is not needed.
    await reader.cancel().catch(() => undefined)
  }
}
