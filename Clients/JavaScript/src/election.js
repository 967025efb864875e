// Elects the process that sends for all processes on one store: the holder of a lock. A process that hangs loses it.

import { pause } from './clock.js'

const POLL_MS = 1_000
const LOCK = 'outbox'

export class Election {
  #context
  #stop
  #poll
  #channel
  #isLooking = false

  /**
   * @param context `{kept, store(): Promise, channelName()}` and the hooks `onElected(isCurrent)`, `onDeposed()`, `onError(error)`,
   *   and `onChange()` when another process has changed the outbox
   */
  constructor(context) { this.#context = context }

  start() {
    this.#stop = new AbortController()
    this.#take(this.#stop.signal)
    // Memory is not shared with other processes.
    if (!this.#context.kept.isShared) return
    this.#poll = setInterval(() => this.#look(), POLL_MS)
    if (typeof BroadcastChannel !== 'function') return
    this.#channel = new BroadcastChannel(this.#context.channelName())
    this.#channel.onmessage = () => this.#look()
    this.#channel.unref?.()
  }

  stop() {
    clearInterval(this.#poll)
    this.#stop?.abort()
    this.#channel?.close()
    this.#channel = undefined
  }

  /** Notifies the other processes that the outbox has changed. */
  announce() { this.#channel?.postMessage(null) }

  async #take(stop) {
    while (!stop.aborted) {
      try {
        const store = await this.#context.store()
        await this.#context.kept.exclusively(store.lockName(LOCK), lost => this.#hold(lost, stop), { signal: stop })
      } catch (error) {
        if (stop.aborted) return
        if (error?.name !== 'LockLost') this.#context.onError(error)
        await pause(POLL_MS, stop)
      }
    }
  }

  async #hold(lost, stop) {
    if (stop.aborted) return
    await this.#context.onElected(() => !lost.aborted && !stop.aborted)
    await new Promise(resolve => {
      for (const signal of [lost, stop]) signal.addEventListener('abort', resolve, { once: true })
      if (lost.aborted || stop.aborted) resolve()
    })
    this.#context.onDeposed()
  }

  async #look() {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      const store = await this.#context.store()
      while (!this.#stop.signal.aborted && await store.isOutboxChanged()) await this.#context.onChange()
    } catch (error) {
      this.#context.onError(error)
    } finally {
      this.#isLooking = false
    }
  }
}
