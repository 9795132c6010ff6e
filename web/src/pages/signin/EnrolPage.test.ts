import { flushPromises, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Router } from 'vue-router'

import { api, ApiError } from '@/api/client.ts'
import type { WhoAmI } from '@/api/types.ts'
import { aPerson } from '@/api/testing.ts'

import EnrolPage from './EnrolPage.vue'
import { becomes, open } from './testing.ts'

let page: VueWrapper
let router: Router

const ENROLMENT = {
  secret: 'JBSW Y3DP',
  uri: 'otpauth://totp/SpiderPig:alice?secret=JBSWY3DP',
  qr: ['101', '010', '111'],
}
const has = (enrolled: boolean) =>
  vi.spyOn(api, 'secondFactor').mockResolvedValue({ enrolled, required: true, recovery_codes_left: 0 })

async function show(who: WhoAmI = aPerson({ secondFactor: 'enrol' }), at = '/enrol?next=/jobs/7'): Promise<void> {
  ;({ page, router } = await open(EnrolPage, { at, who }))
}

async function type(text: string): Promise<void> {
  await page.get('[name=code]').setValue(text)
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
  has(false)
  vi.spyOn(api, 'beginEnrolment').mockResolvedValue(ENROLMENT)
  vi.spyOn(api, 'confirmEnrolment').mockResolvedValue({
    message: '',
    recovery_codes: ['k7mq-3xwp-9dha', 'aaaa-bbbb-cccc'],
  })
})

afterEach(() => page.unmount())

test('the key is there as a picture, as text and as a link', async () => {
  await show()
  expect(page.get('svg').attributes()).toMatchObject({ role: 'img', viewBox: '-4 -4 11 11' })
  expect(page.get('svg').attributes('aria-label')).toContain('shown below as text')
  expect(page.findAll('.enrol-page__qr path')).toHaveLength(1)
  expect(page.text()).toContain('JBSW Y3DP')
  expect(page.get('a').attributes('href')).toBe(ENROLMENT.uri)
})

test('an address of another kind is no link', async () => {
  vi.mocked(api.beginEnrolment).mockResolvedValue({ ...ENROLMENT, uri: 'javascript:alert(1)' })
  await show()
  expect(page.find('a').exists()).toBe(false)
})

test('a code confirms it, and the recovery codes have to be kept before going on', async () => {
  await show()
  becomes(aPerson())
  await type('123456')
  expect(vi.mocked(api.confirmEnrolment).mock.calls).toEqual([['123456']])
  expect(page.text()).toContain('k7mq-3xwp-9dha')
  await press('Continue')
  expect(page.text()).toContain('Save the codes first')
  expect(router.currentRoute.value.name).toBe('enrol')
  await page.get('[type=checkbox]').setValue(true)
  await press('Continue')
  expect(router.currentRoute.value.fullPath).toBe('/jobs/7')
})

test('the browser asks before codes go away that are not kept', async () => {
  await show()
  const leave = () => {
    const event = new Event('beforeunload', { cancelable: true })
    window.dispatchEvent(event)
    return event.defaultPrevented
  }
  expect(leave()).toBe(false)
  await type('123456')
  expect(leave()).toBe(true)
  await page.get('[type=checkbox]').setValue(true)
  expect(leave()).toBe(false)
})

test('a code that is wrong says so, and the key stays', async () => {
  await show()
  vi.mocked(api.confirmEnrolment).mockRejectedValue(new ApiError('This is not the code', 400, { code: 'invalid' }))
  await type('999999')
  expect(page.get('[role=alert]').text()).toBe('This is not the code.')
  expect(page.text()).toContain('JBSW Y3DP')
  expect(api.beginEnrolment).toHaveBeenCalledOnce()
})

test('who has a second factor gives a code of that first, and goes back to their account', async () => {
  has(true)
  await show(aPerson(), '/enrol')
  expect(api.beginEnrolment).not.toHaveBeenCalled()
  await type('111111')
  expect(vi.mocked(api.beginEnrolment).mock.calls).toEqual([['111111']])
  await type('123456')
  await page.get('[type=checkbox]').setValue(true)
  await press('Continue')
  expect(router.currentRoute.value.name).toBe('account')
})

test('what cannot be begun says why, and can be tried again', async () => {
  vi.mocked(api.secondFactor).mockRejectedValueOnce(new Error('SpiderPig cannot be reached'))
  await show()
  expect(page.get('[role=alert]').text()).toBe('SpiderPig cannot be reached.')
  await press('Try again')
  expect(page.text()).toContain('JBSW Y3DP')
})
