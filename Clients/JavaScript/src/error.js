// What everything here needs: errors, listeners, promises.

/** What every failing call of the library fails with. `code` is the server's, or one of the library's own. */
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

/** Listeners by type. One that throws is reported and disturbs nobody. */
export class Listeners {
  #byType = new Map()
  #report

  constructor(report) { this.#report = report }

  /** Returns how to take the listener away. The same function added twice is called twice. */
  on(type, listener) {
    if (typeof listener !== 'function') throw new TypeError('A listener is a function')
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

/** Calls later in the loop, once for each key, whatever number of calls was wanted. */
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

/** A promise with its ends outside. Nobody has to await it. */
export function deferred() {
  const result = {}
  result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }))
  quiet(result.promise)
  return result
}

/** The same promise, of which a failure that nobody awaits is no unhandled rejection. */
export function quiet(promise) {
  promise.catch(() => {})
  return promise
}
