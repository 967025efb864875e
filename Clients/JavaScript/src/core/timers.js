// Deadlines of a state machine: no clock of its own, the caller says what time it is.

export class Timers {
  now
  #due = new Map()

  constructor(now = 0) { this.now = now }

  set(name, afterMs) { this.#due.set(name, this.now + afterMs) }
  setAt(name, at) { this.#due.set(name, at) }
  clear(...names) { for (const name of names) this.#due.delete(name) }
  clearAll() { this.#due.clear() }
  has(name) { return this.#due.has(name) }
  at(name) { return this.#due.get(name) }

  /** The earliest deadline in milliseconds, `undefined` where there is none. */
  get next() { return this.#due.size === 0 ? undefined : Math.min(...this.#due.values()) }

  /** Moves the clock and calls `fire(name)` for what has become due, earliest first, with `now` being that time. */
  advance(now, fire) {
    for (;;) {
      let first
      for (const [name, at] of this.#due) if (at <= now && (!first || at < first[1])) first = [name, at]
      if (!first) break
      this.#due.delete(first[0])
      this.now = Math.max(this.now, first[1])
      fire(first[0])
    }
    this.now = Math.max(this.now, now)
  }

  /** Moves a deadline earlier by `ms`, the time for which the process slept. */
  pull(name, ms) { if (this.has(name)) this.#due.set(name, this.#due.get(name) - ms) }
}

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
/** The longest delay that a server may ask for. */
export const LONGEST_ASKED_PAUSE_MS = 300_000

/** A random pause in [0, c), c = 0.5, 1, 2 … 30 s. */
export const pauseMs = (attempt, random) =>
  Math.floor(random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10)))

const SHORT_LIFE_MS = 2_000
const FREE_SHORT_LIVES = 3

/** Growing pauses between tries. */
export class Pauses {
  attempts = 0
  /** Failures that the next success does not reset. */
  #strikes = 0
  #shortLives = 0
  #random

  constructor(random) { this.#random = random }

  next() {
    return pauseMs(Math.max(this.attempts++, this.#strikes, this.#shortLives - FREE_SHORT_LIVES), this.#random)
  }

  succeeded() { this.attempts = 0 }
  stable() { this.#strikes = this.#shortLives = 0 }
  strike() { this.#strikes += 1 }
  atLeast(attempts) { this.attempts = Math.max(this.attempts, attempts) }

  /** Connections that end right after they became live must not lead to a fast loop. */
  lived(ms) { if (ms < SHORT_LIFE_MS) this.#shortLives += 1 }
}
