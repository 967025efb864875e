/** The wall clock has jumped if it moved by at least this much between two readings. */
const JUMP_MS = 10_000

/** Milliseconds that only go forward, though the wall clock may be set back. */
export class Clock {
  /** Timers of a hidden page may be a minute late, which must not count as sleep. */
  isThrottled = false
  #skipped = 0
  #latest = Date.now()
  #looked = Date.now()

  now() {
    const wall = Date.now()
    if (wall < this.#latest) this.#skipped -= this.#latest - wall
    this.#latest = wall
    return wall - this.#skipped
  }

  /**
   * How far the wall clock jumped since the last call, which must be seconds ago; 0 without a jump. `now()` leaves that
   * time out.
   */
  jump() {
    this.now()
    const passed = this.#latest - this.#looked
    this.#looked = this.#latest
    if (this.isThrottled || passed < JUMP_MS) return 0
    this.#skipped += passed
    return passed
  }
}

/** Resolves after `ms`, or when the signal is aborted. */
export const pause = (ms, signal) => new Promise(resolve => {
  const end = () => { clearTimeout(timer); signal.removeEventListener('abort', end); resolve() }
  const timer = setTimeout(end, ms)
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
})
