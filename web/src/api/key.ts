/**
 * A new idempotency key: one for each action, kept for all attempts at it.
 *
 * `crypto.randomUUID` is not used, as browsers offer it for https only.
 */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
