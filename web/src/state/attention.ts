import { computed, onScopeDispose, watch, watchEffect } from 'vue'
import { useRouter } from 'vue-router'

import { isFinal, type Job } from '@/api/types.ts'
import { endOf, lookOf, MAY_HANG } from '@/text/jobState.ts'
import { plainText } from '@/text/terminal.ts'
import { formatTime } from '@/text/time.ts'
import { titlePrefix } from '@/ui/title.ts'

import alertIcon from './favicon-alert.svg'
import { useLive } from './live.ts'
import { hasNotifications, lookAtPermission, notify, type NotificationOptions } from './notifications.ts'
import { isFirstNotification } from './notifiedOnce.ts'
import { useSession } from './session.ts'
import { canPlay, play, wantsSound, type Tune } from './sound.ts'
import { isWatched } from './watched.ts'

/** So many lines of a question are in a notification: the last ones, which ask. */
const LINES = 3

/** So long, in milliseconds, a tab that nobody looks at leaves it to the one that shows the job to somebody. */
const HEAD_START = 300

/**
 * Sees to it that nobody misses a prompt of a job that they started or watch: by the title and the icon of the tab, and
 * if they want that by a notification and a sound. That such a job has fallen silent, and its end, are told, too. Once
 * for the whole page.
 */
export function useAttention(): void {
  const live = useLive()
  const session = useSession()
  const router = useRouter()

  const isMine = (job: Job) => isWatched(job, session.who.value?.user)
  const mine = computed(() => [...live.jobs.values()].filter(isMine))
  /** The jobs that somebody may have to see to, by what that is. */
  const alerts = computed(() => new Map(mine.value.flatMap(alertOf)))

  markTab(() => mine.value.filter(({ interaction }) => interaction !== null).length)

  /** The notifications of this tab that are about a matter. */
  const shown = new Map<string, Notification>()
  watch(
    alerts,
    (now, before) => {
      for (const [key, notification] of shown) {
        if (!now.has(key)) {
          notification.close()
          shown.delete(key)
        }
      }
      now.forEach((job, key) => before?.has(key) || void notifyOfAlert(job, key))
    },
    { immediate: true },
  )

  /** The newest job when the page was opened. What had ended by then is no news. */
  let newest: number | null = null
  live.onJob((job, before) => {
    const wasOpen = before === undefined ? newest !== null && job.id > newest : !isFinal(before.state)
    if (isFinal(job.state) && wasOpen && isMine(job)) {
      void notifyOfEnd(job)
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

  async function notifyOfAlert(job: Job, key: string): Promise<void> {
    const options = { ...alertText(job), stays: true }
    const notification = await notifyOnce(job, key, 'question', options, () => alerts.value.has(key))
    if (notification !== null) {
      shown.set(key, notification)
    }
  }

  async function notifyOfEnd(job: Job): Promise<void> {
    const options = { title: endTitle(job), body: endBody(job, session.titleOf(job.type)), stays: false }
    await notifyOnce(job, `end of ${keyOf(job)}`, 'end', options, () => true)
  }

  /** Tells once, whichever tab is first. `isStill` says whether it still is as it is told. */
  async function notifyOnce(
    job: Job,
    key: string,
    tune: Tune,
    options: Omit<NotificationOptions, 'tag' | 'onClick'>,
    isStill: () => boolean,
  ): Promise<Notification | null> {
    if (!isLookedAt(job)) {
      await new Promise((resolve) => setTimeout(resolve, HEAD_START))
    }
    if (isStill() && wantsSound.value && canPlay() && (await isFirstNotification(`sound of ${key}`))) {
      void play(tune)
    }
    // Who looks at the job sees it. But it counts as told, or another tab would.
    if (isStill() && hasNotifications.value && (await isFirstNotification(key)) && isStill() && !isLookedAt(job)) {
      return notify({ ...options, tag: key, onClick: () => void router.push({ name: 'job', params: { id: job.id } }) })
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

/** Names a job, also among those of another spool at the same address. */
function keyOf(job: Job): string {
  return `job ${job.id} of ${job.queued_at}`
}

/** What there is to see to in a job: a prompt, a silence or nothing. With what names it. */
function alertOf(job: Job): [string, Job][] {
  if (job.interaction !== null) {
    return [[`prompt ${job.interaction.id} of ${keyOf(job)}`, job]]
  }
  return job.quiet_since ? [[`silence since ${job.quiet_since} of ${keyOf(job)}`, job]] : []
}

function alertText({ id, interaction, quiet_since }: Job): Pick<NotificationOptions, 'title' | 'body'> {
  return interaction === null
    ? { title: `Job ${id} has no output`, body: `No output since ${formatTime(quiet_since ?? 0)} UTC. ${MAY_HANG}` }
    : { title: `Job ${id} asks`, body: lastLines(interaction.prompt) }
}

/** `Job 12 rolled back`. */
export function endTitle(job: Job): string {
  return `Job ${job.id} ${lookOf(job).word.toLowerCase()}`
}

/** How it ended, the last error, and what it was: each on a line of its own. */
export function endBody(job: Job, title: string): string {
  const lines = [endOf(job), job.last_error?.line.trim(), `${title} by ${job.user}`]
  return lines.filter(Boolean).join('\n')
}

// The frames of tables, and the room between their columns: nothing is aligned in a notification.
const FRAMES = /[\s\u2500-\u257f]+/gu

/** The lines of a prompt that ask: the last ones with words in them. */
export function lastLines(prompt: string): string {
  const lines = plainText(prompt).split('\n')
  const worded = lines.filter((line) => /[\p{L}\p{N}]/u.test(line))
  return worded
    .slice(-LINES)
    .map((line) => line.replace(FRAMES, ' ').trim())
    .join('\n')
}
