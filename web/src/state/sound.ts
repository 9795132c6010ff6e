import { isBoolean, preference } from './preference.ts'

/** Whether this person wants to hear what the notifications say. */
export const wantsSound = preference('sound', false, isBoolean)

/** In hertz, one after the other: upwards asks, downwards ends. */
const TUNES = { question: [660, 880], end: [660, 440] }
export type Tune = keyof typeof TUNES

/** In seconds. */
const TONE = 0.18

/** Of the loudest there is. */
const LOUDNESS = 0.2

let context: AudioContext | undefined

/** Browsers let a page be heard only after somebody has clicked or typed on it. */
export function canPlay(): boolean {
  return 'AudioContext' in window && (!('userActivation' in navigator) || navigator.userActivation.hasBeenActive)
}

/** Plays two short tones, if the browser lets it. */
export async function play(tune: Tune): Promise<void> {
  if (!canPlay()) {
    return
  }
  try {
    const audio = (context ??= new AudioContext())
    await audio.resume()
    const now = audio.currentTime
    TUNES[tune].forEach((pitch, index) => playTone(audio, pitch, now + index * TONE))
  } catch {
    // There is nothing to hear with, or the browser does not want it. What is to be seen is seen.
  }
}

function playTone(audio: AudioContext, pitch: number, start: number): void {
  const tone = audio.createOscillator()
  const volume = audio.createGain()
  tone.frequency.value = pitch
  // From and to silence, or it would click.
  volume.gain.setValueAtTime(0, start)
  volume.gain.linearRampToValueAtTime(LOUDNESS, start + 0.02)
  volume.gain.linearRampToValueAtTime(0, start + TONE)
  tone.connect(volume).connect(audio.destination)
  tone.start(start)
  tone.stop(start + TONE)
}
