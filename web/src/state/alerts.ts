import { computed, onScopeDispose, watch, watchEffect } from 'vue'
import { useRouter } from 'vue-router'

import { isFinal, type Job } from '@/api/types.ts'
import { outcomeDetails, lookOf, MAY_BE_STUCK } from '@/text/jobState.ts'
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

/** How many lines of a question a notification shows: the last ones, which ask. */
const LINES = 3

/** A tab in the background waits this long, in milliseconds, for a tab that shows the job. */
const HEAD_START = 300

/**
 * Alerts the user to questions, silence and ends of jobs that they started or watch: by the title and icon of the tab,
 * and if enabled by notifications and sounds. Call it once for the whole page.
 */
export function useAlerts(): void {
  const live = useLive()
  const session = useSession()
  const router = useRouter()

  const isMine = (job: Job) => isWatched(job, session.who.value?.user)
  const mine = computed(() => [...live.jobs.values()].filter(isMine))
  /** The jobs that need attention, by alert. */
  const alerts = computed(() => new Map(mine.value.flatMap(alertOf)))

  markTab(() => mine.value.filter(({ interaction }) => interaction !== null).length)

  /** The open notifications of this tab, by alert. */
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

  /** The newest job when the page was opened. Jobs that had ended by then are not reported. */
  let newest: number | null = null
  live.onJob((job, before) => {
    const wasOpen = before === undefined ? newest !== null && job.id > newest : !isFinal(before.state)
    if (isFinal(job.state) && wasOpen && isMine(job)) {
      void notifyOfEnd(job)
    }
  })
  live.onSnapshot(() => (newest ??= Math.max(0, ...live.jobs.keys())))

  // Without its tab, a notification could be neither clicked nor closed.
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

  /** Notifies once, from whichever tab is first. `isStill` says whether the alert is still current. */
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
    // A user who looks at the job needs no notification. It still counts as shown, or another tab would show it.
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

/** Shows the number of open questions in the title and icon of the tab. */
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

/** Identifies a job, also among jobs of another spool at the same address. */
function keyOf(job: Job): string {
  return `job ${job.id} of ${job.queued_at}`
}

/** The alert of a job with its key: a question, or silence. Empty if there is none. */
function alertOf(job: Job): [string, Job][] {
  if (job.interaction !== null) {
    return [[`prompt ${job.interaction.id} of ${keyOf(job)}`, job]]
  }
  return job.quiet_since ? [[`silence since ${job.quiet_since} of ${keyOf(job)}`, job]] : []
}

function alertText({ id, interaction, quiet_since }: Job): Pick<NotificationOptions, 'title' | 'body'> {
  return interaction === null
    ? { title: `Job ${id} has no output`, body: `No output since ${formatTime(quiet_since ?? 0)} UTC. ${MAY_BE_STUCK}` }
    : { title: `Job ${id} asks`, body: lastLines(interaction.prompt) }
}

/** `Job 12 rolled back`. */
export function endTitle(job: Job): string {
  return `Job ${job.id} ${lookOf(job).word.toLowerCase()}`
}

/** The outcome, the last error, and the job type with its user: each on its own line. */
export function endBody(job: Job, title: string): string {
  const lines = [outcomeDetails(job), job.last_error?.line.trim(), `${title} by ${job.user}`]
  return lines.filter(Boolean).join('\n')
}

// Frames and column gaps of tables, which notifications cannot align.
const FRAMES = /[\s\u2500-\u257f]+/gu

/** The last lines of a prompt that contain words. */
export function lastLines(prompt: string): string {
  const lines = plainText(prompt).split('\n')
  const worded = lines.filter((line) => /[\p{L}\p{N}]/u.test(line))
  return worded
    .slice(-LINES)
    .map((line) => line.replace(FRAMES, ' ').trim())
    .join('\n')
}
