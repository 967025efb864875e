// Reads an access token without verifying it: that is up to the server.

const LEAST_MARGIN_MS = 60_000
/** A token that is refused at an age below this was never any good. */
const YOUNG_MS = 10_000

/** `{sub, remainingMs, lifeMs}` of a JWT, `undefined` for anything else. */
export function readToken(token, now) {
  if (typeof token !== 'string') return undefined
  const parts = token.split('.')
  if (parts.length !== 3 || !parts[2]) return undefined
  try {
    const bytes = Uint8Array.from(atob(parts[1].replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0))
    const { sub, iat, exp } = JSON.parse(new TextDecoder().decode(bytes))
    const userId = Number(sub)
    if (!Number.isSafeInteger(userId) || userId < 1 || !Number.isFinite(exp)) return undefined
    const lifeMs = Number.isFinite(iat) && iat < exp ? (exp - iat) * 1000 : Math.max(exp * 1000 - now, 0)
    let remainingMs = exp * 1000 - now
    // A token that was just issued cannot have expired: the local clock is wrong, so the token counts as new.
    if (remainingMs <= 0 || remainingMs > lifeMs) remainingMs = lifeMs
    return { sub: userId, remainingMs, lifeMs }
  } catch {
    return undefined
  }
}

/** When to renew: with 20 % of the life left, but at least 60 s before the end where the life is long enough for that. */
export function renewAfterMs(remainingMs, lifeMs) {
  const fifth = lifeMs * 0.2
  const margin = lifeMs > LEAST_MARGIN_MS * 1.1 ? Math.max(fifth, LEAST_MARGIN_MS) : fifth
  // A token that arrives late in its lifetime is still used for a while.
  return Math.max(remainingMs - margin, Math.min(remainingMs / 2, 10_000))
}

/** The lifetime of the current token, in the time of a state machine. */
export class TokenLife {
  isThere = false
  renewAt
  /** Young tokens that were refused in a row. */
  refusals = 0
  #arrivedAt
  #endsAt

  begin(now, { remainingMs, lifeMs }) {
    this.isThere = true
    this.#arrivedAt = now
    this.#endsAt = now + remainingMs
    this.renewAt = now + renewAfterMs(remainingMs, lifeMs)
  }

  refused(now) {
    if (this.isThere) this.refusals = this.age(now) < YOUNG_MS ? this.refusals + 1 : 0
    this.isThere = false
  }

  isGood(now) { return this.isThere && now < this.#endsAt }
  age(now) { return now - this.#arrivedAt }

  /** Why another one is needed. */
  reason() { return this.#arrivedAt === undefined ? 'first' : this.isThere ? 'expiring' : 'refused' }

  /** Time passed while the machine's clock stood still. */
  pull(ms) {
    this.#endsAt -= ms
    this.renewAt -= ms
  }
}
