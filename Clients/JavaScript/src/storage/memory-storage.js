// A `ChatStorage` for as long as the process lives.

export class MemoryStorage {
  isLasting = false
  #values = new Map()
  #locks = new Map()

  get(key) { return this.#values.get(key) }

  set(key, value) { this.#values.set(key, value) }

  delete(key) { this.#values.delete(key) }

  keys(prefix = '') { return [...this.#values.keys()].filter(key => key.startsWith(prefix)).sort() }

  /** @param changes pairs of key and value; without a value the key is deleted. */
  write(changes, { lost } = {}) {
    if (lost?.aborted) throw lostLock()
    for (const [key, value] of changes) {
      if (value === undefined) this.#values.delete(key)
      else this.#values.set(key, value)
    }
  }

  /** Runs `work(lost)` alone among all who use this object; in the order of the calls. See `KeptStorage.exclusively`. */
  async exclusively(name, work, { ifAvailable = false, steal = false, signal } = {}) {
    signal?.throwIfAborted()
    let lock = this.#locks.get(name)
    if (!lock) this.#locks.set(name, lock = { holder: null, waiting: [] })
    if (lock.holder && ifAvailable) return undefined
    const holder = new AbortController()
    if (lock.holder && !steal) {
      await waitForTurn(lock, holder, signal)
    } else {
      lock.holder?.abort(lostLock())
      lock.holder = holder
    }
    try {
      return await work(holder.signal)
    } finally {
      // A lock that was taken over is released by its new holder.
      if (lock.holder === holder) this.#passOn(name, lock)
    }
  }

  #passOn(name, lock) {
    const next = lock.waiting.shift()
    lock.holder = next?.holder ?? null
    if (next) next.resolve()
    else this.#locks.delete(name)
  }
}

function waitForTurn(lock, holder, signal) {
  return new Promise((resolve, reject) => {
    const turn = { holder, resolve: () => { signal?.removeEventListener('abort', giveUp); resolve() } }
    const giveUp = () => {
      lock.waiting.splice(lock.waiting.indexOf(turn), 1)
      reject(signal.reason)
    }
    signal?.addEventListener('abort', giveUp, { once: true })
    lock.waiting.push(turn)
  })
}

/** The error of a write, and the reason of the signal `lost`, once another has taken over the lock. */
export const lostLock = () => named('LockLost', 'The lock was taken over')

/** An error that is known by its name, as those of browsers are. */
export const named = (name, message) => Object.assign(new Error(message), { name })

/** Something has not answered in time. */
export const timeout = limitMs => named('TimeoutError', `No answer within ${limitMs} ms`)

export const closedStorage = () => named('InvalidStateError', 'The storage is closed')
