import { onScopeDispose, shallowReactive, shallowRef, watch, type Ref } from 'vue'

import { api } from '@/api/client.ts'
import type { Interaction, Job } from '@/api/types.ts'

import { accepted, closed, closingOf, isSettled, OPEN, refused, type Answering } from './answer.ts'

/** A question that has just come up takes no answer for so long: a click may be meant for what was there before. */
export const GUARD = 700

/** How long it is told that an answer was delivered. */
export const LINGER = 6000

/** A question, and how far its answer is. */
export interface Question {
  readonly interaction: Interaction
  answering: Answering
}

export interface Prompt {
  /** The question that is open. */
  current: Readonly<Ref<Question | null>>
  /** The one before it, as long as there is something to tell about it. */
  last: Readonly<Ref<Question | null>>
  /** Whether the open question is too new to be answered. */
  isGuarded: Readonly<Ref<boolean>>
  answer: (response: string) => Promise<void>
  /** Forgets the last question. */
  dismiss: () => void
}

/** Follows the prompts of a job, and answers them. `me` is who answers. */
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
    guard = setTimeout(() => (isGuarded.value = false), GUARD)
  }

  function close(question: Question): void {
    question.answering = closed(question.answering, closingOf(job()))
    current.value = null
    clearTimeout(linger)
    last.value = question
    leaveSoon(question)
  }

  /** What went well needs no one to dismiss it. */
  function leaveSoon(question: Question): void {
    const { answering } = question
    if (answering.at === 'over' && isSettled(answering.outcome)) {
      linger = setTimeout(dismiss, LINGER)
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
