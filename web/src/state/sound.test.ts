import { afterEach, beforeEach, expect, test, vi } from 'vitest'

const tones: { pitch: number; start: number }[] = []
let resume: () => Promise<void>

class FakeAudioContext {
  static made = 0
  readonly currentTime = 10
  readonly destination = {}
  constructor() {
    FakeAudioContext.made += 1
  }
  resume = () => resume()
  createGain = () => ({
    gain: { setValueAtTime: vi.fn(), linearRampToValueAtTime: vi.fn() },
    connect: (next: unknown) => next,
  })
  createOscillator = () => {
    const frequency = { value: 0 }
    return {
      frequency,
      connect: (next: unknown) => next,
      start: (start: number) => tones.push({ pitch: frequency.value, start }),
      stop: vi.fn(),
    }
  }
}

let hasBeenActive: boolean

/** A new page. */
async function open(): Promise<typeof import('./sound.ts')> {
  vi.resetModules()
  return import('./sound.ts')
}

beforeEach(() => {
  tones.length = 0
  FakeAudioContext.made = 0
  hasBeenActive = true
  resume = () => Promise.resolve()
  vi.stubGlobal('AudioContext', FakeAudioContext)
  Object.defineProperty(navigator, 'userActivation', { get: () => ({ hasBeenActive }), configurable: true })
})

afterEach(() => {
  vi.unstubAllGlobals()
  Reflect.deleteProperty(navigator, 'userActivation')
})

test('a question goes up and an end goes down', async () => {
  const { play } = await open()
  await play('question')
  await play('end')
  expect(tones.map(({ pitch }) => pitch)).toEqual([660, 880, 660, 440])
  expect(tones[1]?.start).toBeGreaterThan(tones[0]?.start ?? Infinity)
  expect(FakeAudioContext.made).toBe(1)
})

test('nothing is tried before somebody has clicked or typed, as browsers complain of it', async () => {
  hasBeenActive = false
  const { canPlay, play } = await open()
  expect(canPlay()).toBe(false)
  await play('question')
  expect(FakeAudioContext.made).toBe(0)
})

test('a browser that does not let it be heard is left alone', async () => {
  resume = () => Promise.reject(new DOMException('no', 'NotAllowedError'))
  const { play } = await open()
  await play('question')
  expect(tones).toEqual([])
})

test('a browser without sound has none', async () => {
  vi.unstubAllGlobals()
  Reflect.deleteProperty(window, 'AudioContext')
  const { canPlay } = await open()
  expect(canPlay()).toBe(false)
})
