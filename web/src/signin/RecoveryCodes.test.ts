import { mount } from '@vue/test-utils'
import { expect, test, vi } from 'vitest'

import { api } from '@/api/client.ts'
import { provideSession, Session } from '@/state/session.ts'

import RecoveryCodes from './RecoveryCodes.vue'
import { declared } from '@/state/testing.ts'

const CODES = ['k7mq-3xwp-9dha', 'aaaa-bbbb-cccc']

test('they can be read, copied and downloaded, with what they are for', async () => {
  vi.spyOn(api, 'whoami').mockResolvedValue({ user: 'alice' })
  vi.spyOn(api, 'jobTypes').mockResolvedValue(declared([]))
  const session = new Session()
  await session.refresh()
  const page = mount(RecoveryCodes, {
    props: { codes: CODES },
    global: { plugins: [(app) => provideSession(app, session)] },
  })
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
