import { mount } from '@vue/test-utils'
import { expect, test, vi } from 'vitest'

import RecoveryCodes from './RecoveryCodes.vue'

const CODES = ['k7mq-3xwp-9dha', 'aaaa-bbbb-cccc']

test('they can be read, copied and downloaded, with what they are for', async () => {
  const page = mount(RecoveryCodes, { props: { codes: CODES, user: 'alice' } })
  expect(page.find('[aria-label="Copy the recovery codes"]').exists()).toBe(true)
  expect(page.findAll('li').map((item) => item.text())).toEqual(CODES)

  const files: Blob[] = []
  vi.spyOn(URL, 'createObjectURL').mockImplementation((file) => {
    files.push(file as Blob)
    return 'blob:file'
  })
  const revoke = vi.spyOn(URL, 'revokeObjectURL')
  const click = vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => undefined)
  await page.findAll('button').at(-1)?.trigger('click')
  expect(click).toHaveBeenCalledOnce()
  expect(revoke).toHaveBeenCalledWith('blob:file')
  const text = await files[0]?.text()
  expect(text).toContain('of alice for SpiderPig')
  expect(text).toContain('Each works once')
  expect(text?.endsWith(`\n\n${CODES.join('\n')}\n`)).toBe(true)
})
