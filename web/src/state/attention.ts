import { computed, onScopeDispose, watch, watchEffect } from 'vue'
import { useRouter } from 'vue-router'

import { isFinal, type Interaction, type Job } from '@/api/types.ts'
import alertIcon from '@/frame/favicon-alert.svg'
import { endOf, lookOf } from '@/ui/state.ts'
import { titlePrefix } from '@/ui/title.ts'

import { useLive } from './live.ts'
import { hasNotifications, lookAtPermission, notify, type News } from './notifications.ts'
import { useSession } from './session.ts'
import { canPlay, play, wantsSound, type Tune } from './sound.ts'
import { tellOnce } from './told.ts'
import { concerns } from './watched.ts'

/** So many lines of a question are in a notification: the last ones, which ask. */
const LINES = 3

/** So long, in milliseconds, a tab that nobody looks at leaves it to the one that shows the job to somebody. */
const HEAD_START = 300

type AskingJob = Job & { interaction: Interaction }

/**
 * Sees to it that nobody misses a prompt of a job that they started or watch: by the title and the icon of the tab, and
 * if they want that by a notification and a sound. The end of such a job is told, too. Once for the whole page.
 */
export function useAttention(): void {
  const live = useLive()
  const session = useSession()
  const router = useRouter()

  const concernsMe = (job: Job) => concerns(job, session.who.value?.user)
  const asking = computed(() => [...live.jobs.values()].filter(isAsking).filter(concernsMe))
  const openKeys = computed(() => new Set(asking.value.map(promptKey)))

  markTab(() => asking.value.length)

  /** The notifications of this tab that are about a prompt. */
  const shown = new Map<string, Notification>()
  /** The prompts that this tab knows of. */
  let known: ReadonlySet<string> = new Set()
  watch(
    asking,
    (jobs) => {
      const isNew = (job: AskingJob) => !known.has(promptKey(job))
      const news = jobs.filter(isNew)
      known = openKeys.value
      for (const [key, notification] of shown) {
        if (!known.has(key)) {
          notification.close()
          shown.delete(key)
        }
      }
      news.forEach((job) => void tellOfPrompt(job))
    },
    { immediate: true },
  )

  /** The newest job when the page was opened. What had ended by then is no news. */
  let newest: number | null = null
  live.onJob((job, before) => {
    const wasOpen = before === undefined ? newest !== null && job.id > newest : !isFinal(before.state)
    if (isFinal(job.state) && wasOpen && concernsMe(job)) {
      void tellOfEnd(job)
    }
  })
  live.onSnapshot(() => (newest ??= Math.max(0, ...live.jobs.keys())))

  // A notification without its tab could be neither clicked nor closed.
  const closeAll = () => shown.forEach((notification) => notification.close())
  window.addEventListener('pagehide', closeAll)
  document.addEventListener('visibilitychange', lookAtPermission)
  onScopeDispose(() => {
    window.removeEventListener('pagehide', closeAll)
    document.removeEventListener('visibilitychange', lookAtPermission)
    closeAll()
  })

  async function tellOfPrompt(job: AskingJob): Promise<void> {
    const key = promptKey(job)
    const news = { title: `Job ${job.id} asks`, body: lastLines(job.interaction.prompt), stays: true }
    const notification = await tell(job, key, 'question', news, () => openKeys.value.has(key))
    if (notification !== null) {
      shown.set(key, notification)
    }
  }

  async function tellOfEnd(job: Job): Promise<void> {
    const news = { title: endTitle(job), body: `${session.titleOf(job.type)} of ${job.user}`, stays: false }
    await tell(job, `end of ${keyOf(job)}`, 'end', news, () => true)
  }

  /** Tells once, whichever tab is first. `isStill` says whether it still is as it is told. */
  async function tell(
    job: Job,
    key: string,
    tune: Tune,
    news: Omit<News, 'tag' | 'onClick'>,
    isStill: () => boolean,
  ): Promise<Notification | null> {
    if (!isLookedAt(job)) {
      await new Promise((resolve) => setTimeout(resolve, HEAD_START))
    }
    if (isStill() && wantsSound.value && canPlay() && (await tellOnce(`sound of ${key}`))) {
      void play(tune)
    }
    // Who looks at the job sees it. But it counts as told, or another tab would.
    if (isStill() && hasNotifications.value && (await tellOnce(key)) && isStill() && !isLookedAt(job)) {
      return notify({ ...news, tag: key, onClick: () => void router.push({ name: 'job', params: { id: job.id } }) })
    }
    return null
  }

  function isLookedAt(job: Job): boolean {
    const { name, params } = router.currentRoute.value
    return name === 'job' && Number(params.id) === job.id && document.hasFocus()
  }
}

/** Shows in the title and the icon of the tab how many prompts wait for this person. */
function markTab(count: () => number): void {
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]')
  const icon = link?.getAttribute('href')
  watchEffect(() => {
    titlePrefix.value = count() > 0 ? `(${count()}) ❓ ` : ''
    if (link && icon) {
      link.setAttribute('href', count() > 0 ? alertIcon : icon)
    }
  })
}

function isAsking(job: Job): job is AskingJob {
  return job.interaction !== null
}

/** Names a job, also among those of another spool at the same address. */
function keyOf(job: Job): string {
  return `job ${job.id} of ${job.queued_at}`
}

function promptKey(job: AskingJob): string {
  return `prompt ${job.interaction.id} of ${keyOf(job)}`
}

/** `Job 12 failed: exit status 3`. */
export function endTitle(job: Job): string {
  const { word } = lookOf(job.state)
  const end = endOf(job)
  return `Job ${job.id} ${word.toLowerCase()}${end === null ? '' : `: ${end}`}`
}

// Colours and other escape sequences of a terminal.
// eslint-disable-next-line no-control-regex -- they begin with a control character
const ESCAPES = /\u001b(\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(\u0007|\u001b\\))/g

// The frames of tables, and the room between their columns: nothing is aligned in a notification.
const FRAMES = /[\s\u2500-\u257f]+/gu

/** The lines of a prompt that ask: the last ones with words in them. */
export function lastLines(prompt: string): string {
  const lines = prompt.replace(ESCAPES, '').split('\n')
  const worded = lines.filter((line) => /[\p{L}\p{N}]/u.test(line))
  return worded
    .slice(-LINES)
    .map((line) => line.replace(FRAMES, ' ').trim())
    .join('\n')
}
