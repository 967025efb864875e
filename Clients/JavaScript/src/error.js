// What everything here needs: errors, listeners, promises.

/** The error of every failed call of the library. `code` is the server's, or one of the library's own. */
export class ChatError extends Error {
  name = 'ChatError'

  constructor(code, message = code, { status, traceId, retryAfterMs, isTemporary = false, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.isTemporary = isTemporary
    if (status !== undefined) this.status = status
    if (traceId !== undefined) this.traceId = traceId
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs
  }
}

/** Listeners by type. A listener that throws is reported and does not affect the others. */
export class Listeners {
  #byType = new Map()
  #report

  constructor(report) { this.#report = report }

  /** Returns how to take the listener away. The same function added twice is called twice. */
  on(type, listener) {
    if (typeof listener !== 'function') throw new TypeError('listener: a function')
    const entry = { listener }
    if (!this.#byType.has(type)) this.#byType.set(type, new Set())
    this.#byType.get(type).add(entry)
    return () => { this.#byType.get(type)?.delete(entry) }
  }

  has(type) { return (this.#byType.get(type)?.size ?? 0) > 0 }

  emit(type, value) {
    for (const { listener } of [...this.#byType.get(type) ?? []]) {
      try {
        // An async listener that fails is one that throws.
        const result = listener(value)
        if (typeof result?.then === 'function') result.then(undefined, error => this.#report(error, type))
      } catch (error) {
        this.#report(error, type)
      }
    }
  }

  clear() { this.#byType.clear() }
}

/** Coalesces calls: the latest work of each key runs once, in a later turn of the event loop. */
export class Soon {
  #works = new Map()
  #timer
  #isClosed = false

  call(key, work) {
    if (this.#isClosed) return
    this.#works.set(key, work)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const works = [...this.#works.values()]
      this.#works.clear()
      for (const work of works) work()
    })
  }

  close() {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#works.clear()
  }
}

export const closedError = () => new ChatError('closed', 'The chat is closed')

/** A promise with external `resolve` and `reject`. Its rejection is never unhandled. */
export function deferred() {
  const result = {}
  result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }))
  quiet(result.promise)
  return result
}

/** Returns the same promise, whose rejection is never unhandled. */
export function quiet(promise) {
  promise.catch(() => {})
  return promise
}
