// The storage as the library uses it: JSON values on a `ChatStorage`, which holds strings and may be the application's
// own. Every call settles: a storage that fails or times out is reported once and replaced by memory on top of its
// contents; every 30 s the memory's contents are written back to it.

import { Deadline, afterAwake, exclusivelyOf } from './foreign-storage.js'
import { MemoryStorage, closedStorage, lostLock, timeout } from './memory-storage.js'
import { Overlay, Seen, fingerprint } from './overlay.js'

const DEADLINE_MS = 5_000
const RETRY_MS = 30_000
const CLOSE_MS = 1_000
const STEP_MS = 10_000
/** Attempts to use the storage again that writes without an outcome put off. */
const MOST_WAITS = 10
/** Unusable values are kept below this. */
export const BROKEN = 'broken/'
/** The lock under which others read, compare and write. */
const STEP = 'store'
/** Locks for storages without their own, shared by all users of the storage object in this process. */
const locksOf = new WeakMap()

export class KeptStorage {
  #given
  #batched
  #prefix
  #report
  #overlay = new Overlay()
  #seen = new Seen()
  #deadline = new Deadline(DEADLINE_MS)
  /** Writes are serialized: if one of them fails, it must be certain which came last. */
  #lastWrite = Promise.resolve()
  #isFailing = false
  #isReadable = true
  /** Writes that timed out and are not settled: they may still take effect, on top of later writes. */
  #lateWrites = 0
  /** Attempts in a row that were left out for them. */
  #waits = 0
  #retry
  /** Aborts the wait for the lock under which the memory's contents are written back. */
  #waiting
  /** Ends the limits on the waits for the lock of a step. */
  #steps = new Set()
  #isClosed = false
  #ownLocks = new MemoryStorage()
  #ownHolders = new Set()

  /**
   * @param storage a `ChatStorage`
   * @param prefix of all keys here; the names of locks have it, too
   * @param onFailure (error, { operation, key? }): once for each time that the storage began to fail
   * @param onRestored (): it works again. What it holds may differ from what was written here meanwhile, since another
   *   process may have written as well: read again.
   * @param onBroken (key, keptAs): a value could not be read and was put aside
   * @param isPrecious whether a value that cannot be read is put aside (else it is absent); such keys are written on
   *   their own after a failure, all others with the keys beside them
   * @param isOwn the storage was made for this object alone, and is closed with it
   */
  constructor(storage, { prefix = '', isPrecious = () => false, isOwn = false, ...report } = {}) {
    this.#given = storage
    this.#prefix = prefix
    this.#report = report
    this.isPrecious = isPrecious
    this.isOwn = isOwn
  }

  /** Whether values that were stored before cannot be read now. */
  get isUnreadable() { return this.#isFailing && !this.#isReadable }

  /** Whether there may be values of earlier processes that cannot be read now: site data that is blocked holds none. */
  get mayHold() { return this.isUnreadable && (!this.isOwn || this.#seen.isFilled) }

  /** Whether other processes may have it, too. */
  get isShared() { return this.#given.isLasting !== false }

  /** Whether what is written now outlives the process. */
  get isLasting() { return this.isShared && !this.#isFailing }

  /** The value, a new one each time; `undefined` where there is none, or none that can be read. */
  async get(key) {
    const text = await this.#read(key)
    if (text === undefined || text === null) return undefined
    try {
      return JSON.parse(text)
    } catch {
      if (this.isPrecious(key)) await this.setAside(key)
      return undefined
    }
  }

  async set(key, value) { await this.write([[key, value]]) }

  /** The keys that begin with the prefix, sorted by their UTF-16 code units. */
  async keys(prefix = '') {
    let stored = []
    if (!this.#isFailing || this.#isReadable) {
      try {
        const full = await this.#ask(storage => storage.keys(this.#prefix + prefix))
        stored = full.map(key => key.slice(this.#prefix.length))
      } catch (error) {
        this.#failReading(error, 'keys', prefix)
      }
    }
    return this.#overlay.keysOver(stored, prefix)
  }

  /**
   * All or nothing.
   * @param changes pairs of key and value; `undefined` deletes
   * @param lost the signal of the required lock: if another has it now, nothing is written (`LockLost`)
   */
  async write(changes, { lost } = {}) {
    if (this.#isClosed) throw closedStorage()
    const texts = [...changes].map(([key, value]) => [key, value === undefined ? undefined : JSON.stringify(value)])
    await this.#inTurn(() => this.#write(texts, lost))
  }

  /** Moves an unusable value to `broken/` and reports it. */
  async setAside(key) {
    const text = await this.#read(key)
    if (text === undefined || text === null) return
    // The same text has one key, even if several processes move it.
    const keptAs = `${BROKEN}${key}.${fingerprint(text)}`
    await this.#inTurn(() => this.#write([[keptAs, text], [key, undefined]]))
    call(this.#report.onBroken, key, keptAs)
  }

  /**
   * Runs `work(lost)` alone among all that share the storage, and answers what it answers.
   * @param ifAvailable does not run `work` if the lock is held; the result is then `undefined`
   * @param steal takes the lock at once; the `lost` signal of its holder is aborted
   * @param signal aborts the wait for the lock, not the work
   */
  async exclusively(name, work, options = {}) {
    const full = this.#prefix + name
    const storage = this.#given
    if (typeof storage.exclusively !== 'function') {
      if (!locksOf.has(storage)) locksOf.set(storage, new MemoryStorage())
      return await locksOf.get(storage).exclusively(full, work, options)
    }
    const limit = new AbortController()
    // Steps are short, and a hanging holder loses its lock sooner: after this time the locks themselves have failed.
    let stop = name === STEP ? afterAwake(STEP_MS, () => limit.abort(timeout(STEP_MS))) : () => {}
    const end = () => {
      stop?.()
      stop = null
      this.#steps.delete(end)
    }
    this.#steps.add(end)
    const start = lost => {
      end()
      return work(lost)
    }
    try {
      return await exclusivelyOf(storage, full, start, { ...options, signal: options.signal ?? limit.signal })
    } catch (error) {
      if (!stop || options.signal?.aborted) throw error
      this.#fail(error, 'exclusively', name)
    } finally {
      end()
    }
    return await this.#ownLocks.exclusively(full, lost => this.#workWithOwnLock(lost, work), options)
  }

  /** Ends within a second; writes that are under way are waited for. */
  async close() {
    this.#isClosed = true
    clearTimeout(this.#retry)
    for (const end of this.#steps) end()
    this.#waiting?.abort()
    let timer
    const limit = new Promise(resolve => { timer = setTimeout(resolve, CLOSE_MS) })
    await Promise.race([this.#lastWrite, limit])
    clearTimeout(timer)
    this.#deadline.close()
    if (this.isOwn) this.#given.close?.()
  }

  // Reading and writing

  /** A call of the storage, within the limit of time. */
  #ask(call, options) {
    return this.#deadline.run(async () => call(this.#given.write ? this.#given : await this.#batches()), options)
  }

  async #batches() {
    const { BatchedStorage } = await import('./batched-storage.js')
    return this.#batched ??= new BatchedStorage(this.#given, this.#prefix)
  }

  async #read(key) {
    if (this.#overlay.has(key)) return this.#overlay.get(key)
    if (this.isUnreadable) return undefined
    try {
      const text = await this.#ask(storage => storage.get(this.#prefix + key))
      if (!this.#isFailing) this.#seen.add(key, text)
      return text
    } catch (error) {
      // One unreadable value does not mean that the storage fails.
      if (!error?.isUnreadable) this.#failReading(error, 'get', key)
      else if (this.isPrecious(key)) call(this.#report.onBroken, key, undefined)
      // Written meanwhile?
      return this.#overlay.get(key)
    }
  }

  #inTurn(work) {
    const turn = this.#lastWrite.then(work)
    this.#lastWrite = turn.catch(() => {})
    return turn
  }

  async #write(texts, lost) {
    if (lost?.aborted) throw lostLock()
    const isTried = !this.#isFailing
    if (isTried) {
      try {
        return await this.#store(texts, lost)
      } catch (error) {
        if (error?.name === 'LockLost') throw error
        this.#fail(error, 'write', texts[0]?.[0])
      }
    }
    this.#overlay.apply(texts, this.#seen)
    if (isTried) this.#overlay.attempt(texts)
    // After `close` the memory would be lost.
    if (this.#isClosed) throw closedStorage()
  }

  async #store(texts, lost) {
    const changes = texts.map(([key, text]) => [this.#prefix + key, text])
    await this.#ask(storage => storage.write(changes, { lost }), {
      onGivenUp: () => { this.#lateWrites += 1 }, onLate: () => { this.#lateWrites -= 1 }
    })
    for (const [key, text] of texts) this.#seen.add(key, text)
  }

  /** What the storage itself holds. */
  async #stored(keys) {
    const texts = await Promise.all(keys.map(key => this.#ask(storage => storage.get(this.#prefix + key))))
    return new Map(keys.map((key, index) => [key, texts[index] ?? undefined]))
  }

  // Failing, and working again

  #failReading(error, operation, key) {
    this.#isReadable = false
    this.#fail(error, operation, key)
  }

  #fail(error, operation, key) {
    if (this.#isFailing || this.#isClosed) return
    this.#isFailing = true
    // A storage that timed out once would time out on each read.
    if (error?.name === 'TimeoutError') this.#isReadable = false
    this.#retryLater()
    call(this.#report.onFailure, error, { operation, key })
  }

  #retryLater() {
    clearTimeout(this.#retry)
    if (!this.#isClosed) this.#retry = setTimeout(() => this.#tryAgain(), RETRY_MS)
  }

  async #tryAgain() {
    const waiting = this.#waiting = new AbortController()
    const stop = afterAwake(DEADLINE_MS, () => waiting.abort())
    try {
      // One that never settles is waited for no longer than some minutes.
      if (this.#lateWrites > 0 && this.#waits++ < MOST_WAITS) return
      this.#waits = 0
      // First the lock, then the turn: the holder of the lock may be waiting for its turn.
      const locked = typeof this.#given.exclusively === 'function'
        ? work => exclusivelyOf(this.#given, this.#prefix + STEP, work, { signal: waiting.signal })
        : work => work()
      await locked(lost => this.#inTurn(() => this.#restore(lost)))
      call(this.#report.onRestored)
    } catch (error) {
      // Reported when it began to fail.
      if (error?.name === 'TimeoutError') this.#isReadable = false
    } finally {
      stop()
      if (this.#isFailing) this.#retryLater()
    }
  }

  async #restore(lost) {
    this.#isReadable = true
    await this.#ask(storage => storage.keys(this.#prefix + BROKEN))
    const { restore } = await import('./restoring.js')
    await restore({
      overlay: this.#overlay, isPrecious: key => this.isPrecious(key) || key.startsWith(BROKEN),
      read: keys => this.#stored(keys), write: changes => this.#store(changes, lost),
    })
    this.#isFailing = false
    for (const holder of this.#ownHolders) holder.abort(lostLock())
  }

  /** A lock within this process is lost as soon as the storage's own locks work again. */
  async #workWithOwnLock(lost, work) {
    const holder = new AbortController()
    const end = () => holder.abort(lost.reason)
    lost.addEventListener('abort', end, { once: true })
    this.#ownHolders.add(holder)
    try {
      return await work(holder.signal)
    } finally {
      lost.removeEventListener('abort', end)
      this.#ownHolders.delete(holder)
    }
  }
}

/** A report that throws must not break the storage. */
function call(listener, ...values) {
  try { listener?.(...values) } catch { /* see above */ }
}
