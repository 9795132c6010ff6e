import { mount } from '@vue/test-utils'
import { expect, test } from 'vitest'

import JobChanges from './JobChanges.vue'
import { aChangeInfo } from './testing.ts'

test('each change has its links, and its message for who opens it', async () => {
  const message = ['Fix &lt;b&gt;\n\nBug: ', { type: 'link' as const, href: 'https://example.org/T1', text: 'T1' }]
  const changes = [aChangeInfo({ number: 42, linkifiedCommitMsg: message }), aChangeInfo({ number: 43 })]
  const page = mount(JobChanges, { props: { changes, anyway: null } })
  const { url, repoQueryUrl, branchQueryUrl } = aChangeInfo({ number: 42 })
  const hrefs = page
    .get('li')
    .findAll('a')
    .map((link) => link.attributes('href'))
  expect(hrefs).toEqual([url, repoQueryUrl, branchQueryUrl])
  const [button] = page.findAll('button')
  expect(button?.attributes('aria-expanded')).toBe('false')
  await button?.trigger('click')
  expect(button?.attributes('aria-expanded')).toBe('true')
  const shown = page.get(`[id="${button?.attributes('aria-controls')}"]`)
  expect(shown.element.textContent).toBe('Fix <b>\n\nBug: T1')
  expect(shown.get('a').attributes('href')).toBe('https://example.org/T1')
  await button?.trigger('click')
  expect(shown.text()).toBe('')
})

test('a link that leads nowhere is a text', () => {
  const change = aChangeInfo({ url: 'javascript:alert(1)', repoQueryUrl: '' })
  const page = mount(JobChanges, { props: { changes: [change], anyway: null } })
  const hrefs = page.findAll('a').map((link) => link.attributes('href'))
  expect(hrefs).toEqual([undefined, undefined, change.branchQueryUrl])
})

test('who started it anyway is there to be read, and what spoke against it', () => {
  const page = mount(JobChanges, { props: { changes: [], anyway: { by: 'ada', problems: ['42 is abandoned'] } } })
  expect(page.text()).toContain('Started anyway by ada.')
  expect(page.text()).toContain('42 is abandoned')
})
