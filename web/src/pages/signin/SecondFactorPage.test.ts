import { flushPromises, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Router } from 'vue-router'

import { api, ApiError } from '@/api/client.ts'
import { aPerson } from '@/api/testing.ts'

import SecondFactorPage from './SecondFactorPage.vue'
import { becomes, open } from './testing.ts'

let page: VueWrapper
let router: Router

const field = () => page.get<HTMLInputElement>('[name=code]')

async function show(at = '/second-factor?next=/jobs/7'): Promise<void> {
  ;({ page, router } = await open(SecondFactorPage, { at, who: aPerson({ secondFactor: 'code' }) }))
}

async function type(text: string): Promise<void> {
  await field().setValue(text)
  await flushPromises()
}

async function press(label: string): Promise<void> {
  await page
    .findAll('button')
    .find((one) => one.text() === label)
    ?.trigger('click')
  await flushPromises()
}

beforeEach(() => {
  vi.spyOn(api, 'giveCode').mockResolvedValue({ message: '', user: 'alice', recovery_codes_left: null })
})

afterEach(() => page.unmount())

describe('a code', () => {
  test('has a field that phones and password managers know, with the focus', async () => {
    await show()
    expect(field().attributes()).toMatchObject({ inputmode: 'numeric', autocomplete: 'one-time-code' })
    expect(document.activeElement).toBe(field().element)
    expect(page.text()).toContain('alice')
  })

  test('is sent as soon as its six digits are there, without blanks, and leads on', async () => {
    await show()
    await type('123 45')
    expect(api.giveCode).not.toHaveBeenCalled()
    becomes(aPerson())
    await type('123 456')
    expect(vi.mocked(api.giveCode).mock.calls).toEqual([['123456']])
    expect(router.currentRoute.value.fullPath).toBe('/jobs/7')
  })

  test('that is wrong goes away, says so, and is not sent again by itself', async () => {
    await show()
    vi.mocked(api.giveCode).mockRejectedValue(new ApiError('This code is wrong', 400, { code: 'invalid' }))
    await type('111111')
    expect(page.get('[role=alert]').text()).toBe('This code is wrong.')
    expect([field().element.value, document.activeElement]).toEqual(['', field().element])
    expect(api.giveCode).toHaveBeenCalledOnce()
  })

  test('that is typed as soon as a refusal is shown stays', async () => {
    await show()
    vi.mocked(api.giveCode).mockRejectedValueOnce(new ApiError('This code is wrong', 400, { code: 'invalid' }))
    const shown = new MutationObserver(() => {
      if (page.text().includes('This code is wrong.')) {
        shown.disconnect()
        void field().setValue('222')
      }
    })
    shown.observe(document.body, { childList: true, subtree: true, characterData: true })
    await type('111111')
    expect(page.text()).toContain('This code is wrong.')
    expect(field().element.value).toBe('222')
  })

  test('says that it is locked, and until when', async () => {
    await show()
    vi.mocked(api.giveCode).mockRejectedValue(new ApiError('Too many attempts', 429, { code: 'rate_limited' }, [], 900))
    await type('111111')
    expect(page.get('[role=alert]').text()).toBe('Too many attempts.')
    expect(page.text()).toMatch(/You can try again at (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC, in 15 min/u)
  })

  test('has to be six digits', async () => {
    await show()
    await type('12345a')
    await page.get('form').trigger('submit')
    expect(page.text()).toContain('A code has six digits.')
    expect(api.giveCode).not.toHaveBeenCalled()
  })
})

describe('a recovery code', () => {
  beforeEach(async () => {
    await show('/second-factor?next=/jobs/7&recovery')
    becomes(aPerson())
  })

  test.each([
    [7, '7 codes are left.'],
    [1, '1 code is left. Get new codes now.'],
    [0, 'No codes are left. Get new codes now.'],
  ])('is sent when somebody says so, and it is told how many are left before going on: %s', async (left, words) => {
    vi.mocked(api.giveCode).mockResolvedValue({ message: '', user: 'alice', recovery_codes_left: left })
    await type('k7mq-3xwp-9dha')
    expect(api.giveCode).not.toHaveBeenCalled()
    await page.get('form').trigger('submit')
    await flushPromises()
    expect(vi.mocked(api.giveCode).mock.calls).toEqual([['k7mq-3xwp-9dha']])
    expect(page.text()).toContain(words)
    expect(page.element.contains(document.activeElement)).toBe(true)
    expect(router.currentRoute.value.name).toBe('second-factor')
    await press('Continue')
    expect(router.currentRoute.value.fullPath).toBe('/jobs/7')
  })

  test('that was used can be replaced at once', async () => {
    vi.mocked(api.giveCode).mockResolvedValue({ message: '', user: 'alice', recovery_codes_left: 2 })
    await type('k7mq-3xwp-9dha')
    await page.get('form').trigger('submit')
    await flushPromises()
    await press('Get new recovery codes')
    expect(router.currentRoute.value.name).toBe('account')
  })
})

test('the two lead to each other, and the way back is kept', async () => {
  await show()
  const link = () => page.findAll('a').find((one) => one.text().startsWith('Use'))
  expect(link()?.attributes('href')).toBe('/second-factor?next=/jobs/7&recovery')
  await router.push('/second-factor?next=/jobs/7&recovery')
  await flushPromises()
  expect(link()?.attributes('href')).toBe('/second-factor?next=/jobs/7')
  expect(field().attributes('autocomplete')).toBe('off')
})
