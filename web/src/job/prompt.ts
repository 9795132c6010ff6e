import { onScopeDispose, shallowReactive, shallowRef, watch, type Ref } from 'vue'

import { api } from '@/api/client.ts'
import type { Interaction, Job } from '@/api/types.ts'

import { accepted, closed, closingOf, isSettled, OPEN, refused, type Answering } from './answer.ts'

/** A new question takes no answer for this time, in milliseconds: a click may be meant for what was there before. */
export const GUARD_TIME = 700

/** How long the message about a delivered answer stays, in milliseconds. */
export const MESSAGE_TIME = 6000

/** A question, and the state of its answer. */
export interface Question {
  readonly interaction: Interaction
  answering: Answering
}

export interface Prompt {
  /** The open question. */
  current: Readonly<Ref<Question | null>>
  /** The previous question, while its outcome is shown. */
  last: Readonly<Ref<Question | null>>
  /** Whether the open question is too new to be answered. */
  isGuarded: Readonly<Ref<boolean>>
  answer: (response: string) => Promise<void>
  /** Hides the outcome of the last question. */
  dismiss: () => void
}

/** Follows the prompts of a job, and answers them. `me` is the user. */
export function usePrompt(
  interaction: () => Interaction | null,
  { job, me }: { job: () => Job; me: () => string | null },
): Prompt {
  const current = shallowRef<Question | null>(null)
  const last = shallowRef<Question | null>(null)
  const isGuarded = shallowRef(false)
  let guard: ReturnType<typeof setTimeout> | undefined
  let linger: ReturnType<typeof setTimeout> | undefined

  function open(interaction: Interaction): void {
    current.value = shallowReactive<Question>({ interaction, answering: OPEN })
    isGuarded.value = true
    clearTimeout(guard)
    guard = setTimeout(() => (isGuarded.value = false), GUARD_TIME)
  }

  function close(question: Question): void {
    question.answering = closed(question.answering, closingOf(job()))
    current.value = null
    clearTimeout(linger)
    last.value = question
    leaveSoon(question)
  }

  /** A settled outcome goes away by itself. */
  function leaveSoon(question: Question): void {
    const { answering } = question
    if (answering.at === 'over' && isSettled(answering.outcome)) {
      linger = setTimeout(dismiss, MESSAGE_TIME)
    }
  }

  function dismiss(): void {
    last.value = null
  }

  async function answer(response: string): Promise<void> {
    const question = current.value
    if (question?.answering.at !== 'open' || isGuarded.value) {
      return
    }
    const { id, job_id } = question.interaction
    question.answering = { at: 'sending', response, closing: null }
    try {
      await api.answer(job_id, id, response)
      question.answering = accepted(question.answering)
    } catch (error) {
      question.answering = refused(question.answering, error, me())
    }
    if (last.value === question) {
      leaveSoon(question)
    }
  }

  watch(
    interaction,
    (interaction) => {
      if (current.value !== null && current.value.interaction.id !== interaction?.id) {
        close(current.value)
      }
      if (interaction !== null && current.value === null) {
        open(interaction)
      }
    },
    { immediate: true },
  )
  onScopeDispose(() => {
    clearTimeout(guard)
    clearTimeout(linger)
  })
  return { current, last, isGuarded, answer, dismiss }
}
