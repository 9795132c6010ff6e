import { isBoolean, preference } from './preference.ts'

/** Whether the user wants sounds with the notifications. */
export const wantsSound = preference('sound', false, isBoolean)

/** Pairs of tones in hertz: rising for a question, falling for an end. */
const TUNES = { question: [660, 880], end: [660, 440] }
export type Tune = keyof typeof TUNES

/** The length of a tone, in seconds. */
const TONE = 0.18

/** The volume, from 0 to 1. */
const LOUDNESS = 0.2

let context: AudioContext | undefined

/** Browsers play sounds only after a click or a key press on the page. */
export function canPlay(): boolean {
  return 'AudioContext' in window && (!('userActivation' in navigator) || navigator.userActivation.hasBeenActive)
}

/** Plays two short tones, if the browser allows it. */
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
    // There is no audio device, or the browser refuses. The visible notification remains.
  }
}

function playTone(audio: AudioContext, pitch: number, start: number): void {
  const tone = audio.createOscillator()
  const volume = audio.createGain()
  tone.frequency.value = pitch
  // Fades in and out, to avoid clicks.
  volume.gain.setValueAtTime(0, start)
  volume.gain.linearRampToValueAtTime(LOUDNESS, start + 0.02)
  volume.gain.linearRampToValueAtTime(0, start + TONE)
  tone.connect(volume).connect(audio.destination)
  tone.start(start)
  tone.stop(start + TONE)
}
