// Locks between the tabs of an origin: Web Locks, which the browser releases when a tab is closed. A tab that is
// frozen, or stopped in a debugger, keeps its locks. So a waiting tab asks the holder from time to time, and takes over
// without an answer.

import { pause } from '../clock.js'
import { MemoryStorage, lostLock } from './memory-storage.js'

const ASK_AFTER_MS = 3_500
const ANSWER_MS = 1_000

export class WebLocks {
  #name
  #channel
  #held = new Set()
  #answers = new Map()
  #questions = 0
  /** Chromium delivers messages to frozen tabs, too, although no timer runs in them. */
  #isFrozen = false
  #freeze = () => { this.#isFrozen = true }
  #resume = () => { this.#isFrozen = false }
  /** Locks of this object alone, if the browser has none, as on an insecure page. */
  #local = new MemoryStorage()

  constructor(name) {
    this.#name = name
  }

  /** @param onTakeOver awaited for at most a second before `work` starts with a lock that was taken from its holder */
  async exclusively(name, work, { ifAvailable = false, steal = false, signal, onTakeOver } = {}) {
    const locks = globalThis.navigator?.locks
    if (!locks) return await this.#local.exclusively(name, work, { ifAvailable, steal, signal })
    signal?.throwIfAborted()
    const full = `${this.#name}/${name}`
    this.#listen()
    if (ifAvailable || steal) return await this.#request(full, { ifAvailable, steal }, work, onTakeOver)
    const waiting = new AbortController()
    const giveUp = () => waiting.abort(signal.reason)
    signal?.addEventListener('abort', giveUp, { once: true })
    this.#watch(full, waiting).catch(() => {})
    try {
      return await this.#request(full, { signal: waiting.signal }, work, undefined, () => waiting.abort())
    } catch (error) {
      if (waiting.signal.reason !== TAKE_OVER) throw error
    } finally {
      waiting.abort()
      signal?.removeEventListener('abort', giveUp)
    }
    return await this.#request(full, { steal: true }, work, onTakeOver)
  }

  /** Stops answering other tabs. */
  close() {
    this.#channel?.close()
    this.#channel = undefined
    globalThis.document?.removeEventListener('freeze', this.#freeze)
    globalThis.document?.removeEventListener('resume', this.#resume)
  }

  async #request(full, options, work, onTakeOver, onStart = () => {}) {
    const holder = new AbortController()
    let running
    const run = async lock => {
      if (!lock) return undefined
      this.#held.add(holder)
      holder.lockName = full
      onStart()
      try {
        if (options.steal && onTakeOver) await Promise.race([onTakeOver(), pause(ANSWER_MS, holder.signal)])
        return await work(holder.signal)
      } finally {
        this.#held.delete(holder)
      }
    }
    try {
      return await navigator.locks.request(full, options, lock => (running = run(lock)))
    } catch (error) {
      if (!running) throw error
      // Rejected before the work has ended: the lock was stolen. The work is notified, and its result is still
      // returned.
      let hasEnded = false
      running.then(() => { hasEnded = true }, () => { hasEnded = true })
      await null
      if (!hasEnded) holder.abort(lostLock())
      return await running
    }
  }

  // Who is still there

  #listen() {
    if (this.#channel) return
    this.#channel = new BroadcastChannel(`${this.#name}.locks`)
    this.#channel.onmessage = ({ data }) => {
      if (data?.answer !== undefined) this.#answers.get(data.answer)?.()
      else if (this.#holds(data?.lockName) && !this.#isFrozen) this.#channel?.postMessage({ answer: data.question })
    }
    globalThis.document?.addEventListener('freeze', this.#freeze)
    globalThis.document?.addEventListener('resume', this.#resume)
  }

  #holds(full) { return [...this.#held].some(holder => holder.lockName === full && !holder.signal.aborted) }

  /** Aborts the wait with `TAKE_OVER` if the holder does not answer. */
  async #watch(full, waiting) {
    while (!waiting.signal.aborted) {
      await pause(ASK_AFTER_MS, waiting.signal)
      const asked = await holderOf(full)
      if (waiting.signal.aborted || !asked || this.#holds(full) || await this.#answered(full, waiting.signal)) continue
      const present = await holderOf(full)
      if (!waiting.signal.aborted && present === asked) waiting.abort(TAKE_OVER)
    }
  }

  async #answered(full, signal) {
    const question = `${Date.now().toString(36)}.${Math.random().toString(36).slice(2)}.${this.#questions++}`
    let isAnswered = false
    await new Promise(resolve => {
      this.#answers.set(question, () => { isAnswered = true; resolve() })
      this.#channel?.postMessage({ question, lockName: full })
      pause(ANSWER_MS, signal).then(resolve)
    })
    this.#answers.delete(question)
    return isAnswered
  }
}

const TAKE_OVER = new Error('The lock holder does not answer')

async function holderOf(full) {
  const { held = [] } = await navigator.locks.query()
  return held.find(lock => lock.name === full)?.clientId
}
