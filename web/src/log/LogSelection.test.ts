import { flushPromises, mount, type VueWrapper } from '@vue/test-utils'
import { beforeEach, describe, expect, test, vi } from 'vitest'

import type { LogRecord } from '@/api/types.ts'

import type { ReadWindow } from './logBuffer.ts'
import LogSelection from './LogSelection.vue'

const writeText = vi.fn<(text: string) => Promise<void>>()
let read = vi.fn<ReadWindow>()

beforeEach(() => {
  writeText.mockReset().mockResolvedValue()
  vi.stubGlobal('navigator', { clipboard: { writeText } })
  read = vi.fn<ReadWindow>((from, count) => {
    const records = Array.from({ length: count }, (_, at): LogRecord => ({
      recno: from + at,
      type: 'line',
      line: `\x1b[31mline ${from + at}\x1b[0m`,
    }))
    return Promise.resolve({ records, total: 100, from, next: from + count, hidden: 0 })
  })
})

const selection = (): VueWrapper => mount(LogSelection, { props: { range: { from: 5, to: 7 }, total: 100, read } })
const copy = async (shown: VueWrapper): Promise<string> => {
  await shown.get('button').trigger('click')
  await flushPromises()
  return shown.text()
}

describe('chosen lines', () => {
  test('are copied as plain text', async () => {
    const shown = selection()
    expect(await copy(shown)).toContain('Copied.')
    expect(writeText).toHaveBeenCalledExactlyOnceWith('line 5\nline 6\nline 7')
    expect(shown.emitted('announce')).toEqual([['Copied.']])
  })

  test('that cannot be read or copied say why', async () => {
    read.mockRejectedValueOnce(new Error('away'))
    expect(await copy(selection())).toContain('Could not copy: away.')
    writeText.mockRejectedValueOnce(new Error('not allowed'))
    Object.defineProperty(document, 'execCommand', { value: () => false, configurable: true })
    expect(await copy(selection())).toContain('Could not copy: The browser does not allow copying.')
  })

  test('behind the end of the log are said to be, until it is so long', async () => {
    const shown = selection()
    await shown.setProps({ total: 4 })
    expect(shown.text()).toContain('has only 4 lines so far')
    expect(shown.text()).not.toContain('Copy')
    await shown.setProps({ total: 5 })
    expect(shown.text()).toContain('Copy')
  })

  test('are not said to be copied when they are others', async () => {
    const shown = selection()
    await copy(shown)
    await shown.setProps({ range: { from: 5, to: 8 } })
    expect(shown.text()).not.toContain('Copied')
  })
})
