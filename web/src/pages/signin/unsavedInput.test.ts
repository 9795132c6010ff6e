import { beforeAll, beforeEach, expect, test } from 'vitest'

import { hasUnsavedInput, trackInput } from './unsavedInput.ts'

beforeAll(trackInput)
beforeEach(() => document.body.replaceChildren())

function put(html: string): Element {
  const page = new DOMParser().parseFromString(html, 'text/html').body.firstElementChild
  if (page === null) {
    throw new Error('there is nothing in it')
  }
  document.body.append(page)
  return page
}

test('who only looks loses nothing', () => {
  const page = put('<main><form><input></form><button>Stop</button></main>')
  page.querySelector('button')?.click()
  expect(hasUnsavedInput()).toBe(false)
})

test('who has typed something may not be done as long as the field is there, whatever is in it', () => {
  const page = put('<main><input></main>')
  page.querySelector('input')?.dispatchEvent(new Event('input', { bubbles: true }))
  expect(hasUnsavedInput()).toBe(true)
  page.remove()
  expect(hasUnsavedInput()).toBe(false)
})

test('who has chosen something in a form may not be done either', () => {
  const page = put('<form><span>Choice</span></form>')
  page.querySelector('span')?.dispatchEvent(new Event('click', { bubbles: true }))
  expect(hasUnsavedInput()).toBe(true)
})

test('who is in a field or has a dialog open is about to do something', () => {
  const page = put('<main><textarea></textarea></main>')
  page.querySelector('textarea')?.focus()
  expect(hasUnsavedInput()).toBe(true)
  page.remove()
  put('<div role="dialog">Kill?</div>')
  expect(hasUnsavedInput()).toBe(true)
})
