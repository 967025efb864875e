// A limit of time on calls of somebody else's code, which may never answer.

export class Deadline {
  #pending = new Set()
  #isClosed = false

  constructor(limitMs) { this.limitMs = limitMs }

  /**
   * What `work` answers; a failure named `TimeoutError` where that takes longer.
   * @param onGivenUp it was given up and is still under way
   * @param onLate what was given up has ended
   */
  run(work, { onGivenUp = () => {}, onLate = () => {} } = {}) {
    if (this.#isClosed) return Promise.reject(closed())
    return new Promise((resolve, reject) => {
      let isLate = false
      const entry = {
        end: error => { isLate = true; onGivenUp(); settle(reject, error) },
        timer: setTimeout(() => entry.end(timeout(this.limitMs)), this.limitMs)
      }
      const settle = (how, value) => {
        clearTimeout(entry.timer)
        this.#pending.delete(entry)
        how(value)
      }
      this.#pending.add(entry)
      Promise.resolve().then(work).then(
        value => { if (isLate) onLate(); else settle(resolve, value) },
        error => { if (isLate) onLate(); else settle(reject, error) })
    })
  }

  /** What is under way fails now, and no timer is left. */
  close() {
    this.#isClosed = true
    for (const entry of [...this.#pending]) entry.end(closed())
  }
}

const timeout = limitMs => Object.assign(new Error(`No answer within ${limitMs} ms`), { name: 'TimeoutError' })
const closed = () => Object.assign(new Error('The storage is closed'), { name: 'InvalidStateError' })
