// Who types. No timers of its own: the caller tells the time.

/** For so long a statement is believed: whoever types says so again within it. */
export const BELIEVED_MS = 6_000
/** So often it is said. The server passes the same on every 2 s at most. */
export const SAID_EVERY_MS = 3_000

/** The others, as they say. */
export class Typists {
  #until = new Map()

  note(userId, isTyping, now) {
    if (isTyping) this.#until.set(userId, now + BELIEVED_MS)
    else this.#until.delete(userId)
  }

  at(now) {
    for (const [userId, until] of this.#until) if (until <= now) this.#until.delete(userId)
    return [...this.#until.keys()]
  }
}

/** Oneself: what is to be said and when. */
export class TypingSignal {
  #saidAt = null

  /** Something was written. Returns whether to say so. */
  write(now) {
    if (this.#saidAt !== null && now - this.#saidAt < SAID_EVERY_MS) return false
    this.#saidAt = now
    return true
  }

  /** The text was sent or given up. Returns whether to say so. */
  stop() {
    const hasSaid = this.#saidAt !== null
    this.#saidAt = null
    return hasSaid
  }
}
