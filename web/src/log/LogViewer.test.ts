import { enableAutoUnmount, flushPromises, mount, type VueWrapper } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { shallowRef } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'

import { api, ApiError } from '@/api/client.ts'
import { aPerson, declared } from '@/api/testing.ts'
import type { Job, LogExtent, LogMark, LogRecord, LogWindow } from '@/api/types.ts'
import { useLive } from '@/state/live.ts'
import { provideSession, Session } from '@/state/session.ts'

import LogViewer from './LogViewer.vue'

vi.mock('@/state/live.ts', () => ({ useLive: vi.fn() }))

const log = shallowRef<LogExtent | null>(null)
const connection = shallowRef({ state: 'live' })

/** The log of the API. */
let records: LogRecord[] = []

function windowOf(from: number, count: number, sensitive: boolean): LogWindow {
  const total = records.length
  const first = from < 0 ? Math.max(0, total + from) + 1 : from
  const all = records.slice(first - 1, first - 1 + count)
  const shown = all.filter((record) => sensitive || !(record.type === 'line' && record.sensitive))
  return { records: shown, total, from: first, next: first + all.length, hidden: all.length - shown.length }
}

function write(...lines: string[]): void {
  for (const line of lines) {
    records.push({ recno: records.length + 1, type: 'line', line })
  }
}

async function viewer(job: Partial<Job> = {}, hash = '', marks: LogMark[] = [], path = '/jobs/7'): Promise<VueWrapper> {
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/jobs/:id', name: 'job', component: { template: '' } },
      { path: '/train', component: { template: '' } },
    ],
  })
  await router.push(`${path}${hash}`)
  const props = {
    job: { id: 7, state: 'running', started_at: null, ...job } as Job,
    marks: {
      list: shallowRef(marks),
      problem: shallowRef(null),
      retryAt: shallowRef(null),
      isCut: shallowRef(false),
      retry: () => undefined,
    },
  }
  const session = new Session()
  await session.refresh()
  const shown = mount(LogViewer, {
    props,
    global: { plugins: [router, (app) => provideSession(app, session)] },
    attachTo: document.body,
  })
  await drawn()
  return shown
}

/** Waits until requests are answered and frames are drawn. */
async function drawn(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await flushPromises()
    await new Promise((resolve) => requestAnimationFrame(resolve))
  }
  await flushPromises()
}

const texts = (shown: VueWrapper): string[] => shown.findAll('.log-row__text').map((text) => text.text())

enableAutoUnmount(afterEach)
beforeEach(() => {
  records = []
  vi.spyOn(api, 'whoami').mockResolvedValue(aPerson())
  vi.spyOn(api, 'jobTypes').mockResolvedValue(declared([]))
  log.value = null
  vi.mocked(useLive).mockReturnValue({ log, connection } as unknown as ReturnType<typeof useLive>)
  vi.spyOn(api, 'records').mockImplementation((_, { from, count, sensitive }) =>
    Promise.resolve(windowOf(from, count, sensitive)),
  )
  document.body.replaceChildren()
  localStorage.clear()
})

describe('the log viewer', () => {
  test.each<[Partial<Job>, string]>([
    [{ state: 'queued' }, 'The log begins when the job starts.'],
    [{ state: 'running' }, 'The log is empty so far.'],
    [{ state: 'succeeded' }, 'This job has no log.'],
  ])('says why there is nothing: %j', async (job, words) => {
    expect((await viewer(job)).get('.log-viewer__empty').text()).toBe(words)
  })

  test('shows what comes, and asks for nothing when nothing has come', async () => {
    write('one', 'two')
    const shown = await viewer()
    expect(texts(shown)).toEqual(['one', 'two'])
    const asked = vi.mocked(api.records).mock.calls.length
    await drawn()
    expect(vi.mocked(api.records).mock.calls.length).toBe(asked)
    write('three')
    log.value = { id: 7, records: 3, complete: false }
    await drawn()
    expect(texts(shown).at(-1)).toBe('three')
    log.value = { id: 8, records: 99, complete: false }
    await drawn()
    expect(vi.mocked(api.records).mock.calls.length).toBe(asked + 1)
  })

  test('opens at the lines of the address', async () => {
    write(...Array.from({ length: 5000 }, (_, at) => `line ${at + 1}`))
    const shown = await viewer({}, '#L2000-L2001')
    expect(shown.findAll('.log-row--selected').map((row) => row.get('.log-row__text').text())).toEqual([
      'line 2000',
      'line 2001',
    ])
    expect(shown.get('.log-selection').text()).toContain('Lines 2000 to 2001')
  })

  test('on another page leaves the address alone, and its lines lead to the page of the job', async () => {
    write('one', 'two')
    const shown = await viewer({}, '#L1', [], '/train')
    expect(shown.find('.log-row--selected').exists()).toBe(false)
    const number = shown.findAll('.log-row__number')[1]
    expect(number?.attributes('href')).toBe('/jobs/7#L2')
    await number?.trigger('click')
    await drawn()
    expect(shown.get('.log-row--selected').text()).toContain('two')
    expect(shown.vm.$route.fullPath).toBe('/train#L1')
  })

  test('says why the log cannot be read, and tries again', async () => {
    write('one')
    vi.mocked(api.records).mockRejectedValueOnce(new ApiError('no such luck', 500))
    const shown = await viewer()
    expect(shown.get('.cdx-message').text()).toContain('The log could not be loaded: no such luck.')
    await shown.get('.cdx-message button').trigger('click')
    await drawn()
    expect(shown.find('.cdx-message').exists()).toBe(false)
    expect(texts(shown)).toEqual(['one'])
  })

  test('says why it cannot go on, keeps what it has, and goes on by itself when the API is back', async () => {
    write('one')
    const shown = await viewer()
    vi.mocked(api.records).mockRejectedValueOnce(new ApiError('away', 0))
    write('two')
    log.value = { id: 7, records: 2, complete: false }
    await drawn()
    expect(texts(shown)).toEqual(['one'])
    expect(shown.get('.log-pane__edge').text()).toContain('away')
    connection.value = { state: 'broken' }
    await drawn()
    connection.value = { state: 'live' }
    await drawn()
    expect(texts(shown)).toEqual(['one', 'two'])
  })

  test('shows sensitive lines when they are asked for', async () => {
    write('one')
    records.push({ recno: 2, type: 'line', line: 'secret', sensitive: true })
    const shown = await viewer()
    expect(texts(shown)[1]).toContain('1 sensitive line is hidden')
    await shown.get('.log-row--hidden button').trigger('click')
    await drawn()
    expect(texts(shown)).toEqual(['one', 'sensitive: secret'])
    expect(vi.mocked(api.records).mock.lastCall?.[1].sensitive).toBe(true)
  })

  test('says to who may only look why they do not see sensitive lines', async () => {
    vi.mocked(api.whoami).mockResolvedValue(aPerson({ mayStart: false }))
    records.push({ recno: 1, type: 'line', line: 'secret', sensitive: true })
    const shown = await viewer()
    expect(shown.find('.log-row--hidden button').exists()).toBe(false)
    const options = shown.get('.log-options__switches')
    expect(options.text()).toContain('Only users who can start jobs of this type can view them.')
    const isOff = options.findAll('input').map((input) => input.attributes('disabled') !== undefined)
    expect(isOff).toEqual([false, true])
  })

  test('shows a record on demand, and takes the keyboard there', async () => {
    write(...Array.from({ length: 5000 }, (_, at) => `line ${at + 1}`))
    const shown = await viewer()
    ;(shown.vm as unknown as { show(recno: number): void }).show(100)
    await drawn()
    expect(shown.get('.log-row--current .log-row__text').text()).toBe('line 100')
    expect(document.activeElement).toBe(shown.get('[role=log]').element)
  })

  test('jumps between prompts, and says how many there are', async () => {
    write(...Array.from({ length: 5000 }, (_, at) => `line ${at + 1}`))
    const shown = await viewer({}, '', [
      { recno: 100, type: 'interaction', id: 1, kind: 'choices', prompt: 'a?' },
      { recno: 200, type: 'interaction', id: 2, kind: 'choices', prompt: 'b?' },
      { recno: 300, type: 'error' },
    ])
    expect(shown.findAll('.log-jump').map((jump) => jump.attributes('aria-label'))).toEqual(['2 prompts', '1 error'])
    const went: string[] = []
    for (const name of ['Previous prompt', 'Next error']) {
      await shown.get(`[aria-label="${name}"]`).trigger('click')
      await drawn()
      went.push(shown.get('.log-row--current .log-row__text').text())
    }
    expect(went).toEqual(['line 200', 'line 300'])
  })
})
