// Support for storages of the application, which may never answer and may lack options.

import { closedStorage, timeout } from './memory-storage.js'

/**
 * Calls `work` after `ms` in which the process was running: a process that was suspended, or slept with its machine,
 * finds its answers only when it continues. Returns a function that cancels the call.
 */
export function afterAwake(ms, work) {
  let slices = 5, timer
  const wait = () => { timer = setTimeout(() => --slices ? wait() : work(), ms / 5) }
  wait()
  return () => clearTimeout(timer)
}

/** A limit of time on calls. */
export class Deadline {
  #pending = new Set()
  #isClosed = false

  constructor(limitMs) { this.limitMs = limitMs }

  /**
   * The result of `work`; rejects with a `TimeoutError` if that takes longer.
   * @param onGivenUp it timed out or was cancelled, and is still pending
   * @param onLate what was given up has settled
   */
  run(work, { onGivenUp, onLate } = {}) {
    if (this.#isClosed) return Promise.reject(closedStorage())
    return new Promise((resolve, reject) => {
      let isLate = false
      const entry = {
        end: error => { isLate = true; onGivenUp?.(); settle(reject, error) },
        stop: afterAwake(this.limitMs, () => entry.end(timeout(this.limitMs)))
      }
      const settle = (how, value) => {
        entry.stop()
        this.#pending.delete(entry)
        how(value)
      }
      this.#pending.add(entry)
      Promise.resolve().then(work).then(
        value => { if (isLate) onLate?.(); else settle(resolve, value) },
        error => { if (isLate) onLate?.(); else settle(reject, error) })
    })
  }

  /** What is under way fails now, and no timer is left. */
  close() {
    this.#isClosed = true
    for (const entry of [...this.#pending]) entry.end(closedStorage())
  }
}

/** For a storage whose locks know no `ifAvailable`: a free lock is had within this time. */
const AVAILABLE_MS = 1_000

/** `storage.exclusively`, even if it takes only a name and the work: then locks cannot be stolen or lost. */
export function exclusivelyOf(storage, name, work, options = {}) {
  const { ifAvailable, signal } = options
  if (signal?.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    let state = 'waiting'
    const end = (how, value) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
      how(value)
    }
    const giveUp = () => {
      if (state !== 'waiting') return
      state = 'given up'
      if (signal?.aborted) end(reject, signal.reason)
      else end(resolve, undefined)
    }
    const timer = ifAvailable ? setTimeout(giveUp, AVAILABLE_MS) : undefined
    signal?.addEventListener('abort', giveUp, { once: true })
    const run = lost => {
      if (state === 'given up') return undefined
      state = 'running'
      clearTimeout(timer)
      return work(lost ?? new AbortController().signal)
    }
    Promise.resolve().then(() => storage.exclusively(name, run, options))
      .then(value => end(resolve, value), error => end(reject, error))
  })
}
