/** Browsers and how to recognise them. Most also name browsers that they resemble, so the first match counts. */
const BROWSERS: readonly [name: string, version: RegExp][] = [
  ['Edge', /\bEdg(?:e|A|iOS)?\/(\d+)/],
  ['Opera', /\bOPR\/(\d+)/],
  ['Vivaldi', /\bVivaldi\/(\d+)/],
  ['Samsung Internet', /\bSamsungBrowser\/(\d+)/],
  ['Firefox', /\b(?:Firefox|FxiOS)\/(\d+)/],
  ['Chromium', /\bChromium\/(\d+)/],
  ['Chrome', /\b(?:Headless)?(?:Chrome|CriOS)\/(\d+)/],
  ['Safari', /\bVersion\/(\d+)\S* (?:Mobile\/\S+ )?Safari\//],
  ['curl', /^curl\/(\d+)/],
]

/** Systems, in the same way: Android also says Linux, and an iPhone says “like Mac OS X”. */
const SYSTEMS: readonly [name: string, sign: RegExp][] = [
  ['Android', /\bAndroid\b/],
  ['iPhone', /\biPhone\b/],
  ['iPad', /\biPad\b/],
  ['Windows', /\bWindows\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['macOS', /\bMac OS X\b/],
  ['FreeBSD', /\bFreeBSD\b/],
  ['Linux', /\bLinux\b/],
]

/**
 * A browser and its system in words: `Firefox 145 on Linux`.
 *
 * Browsers can claim anything, and newer ones say less. The words only help people to recognise their devices.
 */
export function agentWords(userAgent: string): string {
  const browser = BROWSERS.map(([name, version]) => [name, version.exec(userAgent)?.[1]]).find(([, version]) => version)
  const system = SYSTEMS.find(([, sign]) => sign.test(userAgent))?.[0]
  const words = browser?.join(' ') ?? 'Unknown browser'
  return system === undefined ? words : `${words} on ${system}`
}
