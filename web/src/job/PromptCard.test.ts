import { flushPromises, mount, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { api, ApiError } from '@/api/client.ts'
import { declared, aJob, aPerson, aPrompt } from '@/api/testing.ts'
import type { Interaction, Job } from '@/api/types.ts'
import { provideSession, Session } from '@/state/session.ts'

import { GUARD_TIME, MESSAGE_TIME } from './prompt.ts'
import PromptCard from './PromptCard.vue'

const first = aPrompt({ choices: { Continue: 'c', 'Roll back': 'r' }, default: 'c', prompt: 'A\n│ b │\nGo on?' })
const second = aPrompt({ id: 1_000_002, prompt: 'Sure?', default: null })
const line = aPrompt({ id: 1_000_003, type: 'input_line', prompt: 'Who?', choices: {}, default: null })

let card: VueWrapper

async function show(interaction: Interaction | null, job: Partial<Job> = {}): Promise<void> {
  const session = new Session()
  await session.refresh()
  card = mount(PromptCard, {
    attachTo: document.body,
    props: { interaction, job: aJob({ interaction, ...job }) },
    global: { plugins: [(app) => provideSession(app, session)] },
  })
  await flushPromises()
}

async function becomes(interaction: Interaction | null, job: Partial<Job> = {}): Promise<void> {
  await card.setProps({ interaction, job: aJob({ interaction, ...job }) })
  await flushPromises()
}

const button = (label: string) => {
  const found = card.findAll('button').find((one) => one.text().startsWith(label))
  if (found === undefined) {
    throw new Error(`There is no button ${label}`)
  }
  return found
}

async function press(label: string): Promise<void> {
  await button(label).trigger('click')
  await flushPromises()
}

const afterGuard = () => vi.advanceTimersByTimeAsync(GUARD_TIME)

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson())
  vi.spyOn(api, 'jobTypes').mockResolvedValue(declared([]))
  vi.spyOn(api, 'answer').mockResolvedValue({})
  // The page, which gets the focus when the question is gone.
  const page = Object.assign(document.createElement('main'), { id: 'content', tabIndex: -1 })
  document.body.replaceChildren(page)
})

afterEach(() => {
  card.unmount()
  vi.useRealTimers()
})

describe('a question', () => {
  test('is shown as it was formatted, and its last line is read out', async () => {
    await show(first)
    expect(card.find('.prompt-card__text').element.textContent).toBe('A\n│ b │\nGo on?')
    expect(card.find('[role=alert]').text()).toBe('Job 1 asks: Go on?')
  })

  test('is without the codes of a terminal, in its colours', async () => {
    await show(aPrompt({ prompt: '\x1b[1;31mDanger\x1b[0m https://a.b/c\n\x1b[32mGo on?\x1b[0m ' }))
    const text = card.get('.prompt-card__text')
    expect(text.element.textContent).toBe('Danger https://a.b/c\nGo on? ')
    expect(text.get('.log-text--bold').text()).toBe('Danger')
    expect(text.get('a').attributes('href')).toBe('https://a.b/c')
    expect(card.get('[role=alert]').text()).toBe('Job 1 asks: Go on?')
  })

  test('has its choices in their order, with codes, and the default marked in words', async () => {
    await show(first)
    expect(card.findAll('.prompt-card__choice').map((one) => one.text().replace(/\s+/g, ' '))).toEqual([
      'Continue c (default)',
      'Roll back r',
    ])
  })

  test('is nothing while there is none', async () => {
    await show(null)
    expect(card.find('section').exists()).toBe(false)
  })
})

test.each([first, line])(
  'who may only look sees the question, and that they cannot answer it: %#',
  async (question) => {
    vi.mocked(api.whoami).mockResolvedValue(aPerson({ mayStart: false }))
    await show(question)
    await afterGuard()
    expect(card.text()).toContain('You can view jobs, but not start or answer them.')
    expect(card.findAll('button').every((one) => one.attributes('disabled') !== undefined)).toBe(true)
    expect(card.findAll('input').every((one) => one.attributes('disabled') !== undefined)).toBe(true)
  },
)

test('whom the job type is not for sees the question, and whom it is for', async () => {
  const jobTypes = { [aJob().type]: { groups: ['crew'], mayAnswer: false } }
  vi.mocked(api.whoami).mockResolvedValue(aPerson({ jobTypes }))
  await show(first)
  await afterGuard()
  expect(card.text()).toContain('View only: jobs of this type are for crew.')
  expect(card.findAll('button').every((one) => one.attributes('disabled') !== undefined)).toBe(true)
})

describe('an answer', () => {
  test('is sent, taken, delivered, and then the card goes', async () => {
    let respond: (value: unknown) => void = () => undefined
    vi.mocked(api.answer).mockReturnValue(new Promise((resolve) => (respond = resolve)))
    await show(first)
    await afterGuard()
    await press('Roll back')
    expect(api.answer).toHaveBeenCalledExactlyOnceWith(1, 1_000_001, 'r')
    expect(card.find('[role=status]').text()).toBe('Sending…')
    expect(button('Continue').attributes('disabled')).toBeDefined()

    respond({})
    await flushPromises()
    expect(card.find('[role=status]').text()).toBe('Sent. Waiting for the job to receive it.')

    await becomes(null)
    expect(card.text()).toContain('You answered “Roll back”. Delivered.')
    await vi.advanceTimersByTimeAsync(MESSAGE_TIME)
    expect(card.find('section').exists()).toBe(false)
  })

  test('that somebody else was quicker with says who and what', async () => {
    const lost = new ApiError('This prompt was answered already', 409, { responded_by: 'bob', response: 'r' })
    vi.mocked(api.answer).mockRejectedValue(lost)
    await show(first)
    await afterGuard()
    await press('Continue')
    expect(card.text()).toContain('bob answered “Roll back” first.')
    expect(card.findAll('.prompt-card__choice')).toHaveLength(0)

    await becomes(null)
    await vi.advanceTimersByTimeAsync(2 * MESSAGE_TIME)
    expect(card.text()).toContain('bob answered “Roll back” first.')
    await press('Dismiss')
    expect(card.find('section').exists()).toBe(false)
  })

  test('that is refused says why, and can be given again', async () => {
    vi.mocked(api.answer).mockRejectedValueOnce(new ApiError('The disk is full', 503))
    await show(first)
    await afterGuard()
    await press('Continue')
    expect(card.text()).toContain('The disk is full')
    await press('Continue')
    expect(api.answer).toHaveBeenCalledTimes(2)
    expect(card.text()).not.toContain('The disk is full')
  })

  test('may be an empty line', async () => {
    await show(line)
    await afterGuard()
    expect(card.text()).toContain('An empty answer is allowed')
    await card.find('form').trigger('submit')
    expect(api.answer).toHaveBeenCalledExactlyOnceWith(1, 1_000_003, '')
  })

  test('may be any line, and is not kept for the next question', async () => {
    await show(line)
    await afterGuard()
    await card.find('input').setValue(' <b>')
    await card.find('form').trigger('submit')
    expect(api.answer).toHaveBeenCalledExactlyOnceWith(1, 1_000_003, ' <b>')
    await becomes({ ...line, id: 1_000_004 })
    expect(card.find('input').element.value).toBe('')
  })
})

describe('a question that takes the place of another', () => {
  test('takes no answer for a moment, as it may be meant for the one before', async () => {
    await show(first)
    await afterGuard()
    await becomes(second, { state: 'waiting' })
    expect(button('Yes').attributes('aria-disabled')).toBe('true')
    await press('Yes')
    expect(api.answer).not.toHaveBeenCalled()

    await afterGuard()
    expect(button('Yes').attributes('aria-disabled')).toBeUndefined()
    await press('Yes')
    expect(api.answer).toHaveBeenCalledExactlyOnceWith(1, 1_000_002, 'y')
  })

  test('does not take the focus of a button that is gone', async () => {
    await show(first)
    const pressed = button('Continue').element as HTMLElement
    pressed.focus()
    await becomes(second)
    expect(document.activeElement).toBe(card.find('section').element)
  })

  test('tells how the last one went', async () => {
    await show(first)
    await becomes(second)
    expect(card.text()).toContain('Somebody else answered the question.')
    expect(card.text()).toContain('Sure?')
  })
})

test('focus goes to the page when the question goes', async () => {
  await show(first)
  ;(button('Continue').element as HTMLElement).focus()
  await becomes(null, { state: 'succeeded' })
  expect(card.text()).toContain('because the job has ended')
  await vi.advanceTimersByTimeAsync(MESSAGE_TIME)
  expect(document.activeElement?.id).toBe('content')
})

test('a question that is asked again after a signal can be answered', async () => {
  await show(first)
  await becomes(null, { state: 'stopping' })
  expect(card.text()).toContain('because the job is being stopped')
  await becomes(first, { state: 'waiting' })
  await afterGuard()
  await press('Continue')
  expect(api.answer).toHaveBeenCalledOnce()
})
