/** A wall clock that moved by so much, between two looks at it, jumped. */
const JUMP_MS = 10_000

/** Milliseconds that only go forward, without the time in which the process slept or by which the wall clock was set. */
export class Clock {
  /** In a hidden page timers are late by a minute, which is no sleep. */
  isThrottled = false
  #skipped = 0
  #last = Date.now()

  now() { return Date.now() - this.#skipped }

  /** How far the wall clock jumped since the last call; 0 where it did not. It has to be called every few seconds. */
  jump() {
    const now = Date.now()
    const passed = now - this.#last
    this.#last = now
    if (passed < 0) { this.#skipped += passed; return 0 }
    if (this.isThrottled || passed < JUMP_MS) return 0
    this.#skipped += passed
    return passed
  }
}
