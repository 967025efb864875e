// A `ChatStorage` in a database of the browser. Each call is one transaction.

import { afterAwake } from './foreign-storage.js'
import { lostLock, timeout } from './memory-storage.js'
import { WebLocks } from './web-locks.js'

/** Browsers sometimes never answer, and a retry may help. Less than the limit of `KeptStorage`. */
const OPENING_MS = 4_500
const VALUES = 'values'
/**
 * [name of a lock, number]: the number grows with each write under the lock and with each takeover. A tab that slept
 * while it lost the lock, however another got it, detects the loss by this number.
 */
const NUMBERS = 'takeOvers'

export class IndexedDBStorage {
  isLasting = true
  #opening
  #locks
  #held = new WeakMap()

  constructor(name = 'chat-client') {
    this.name = name
    this.#locks = new WebLocks(name)
  }

  get(key) {
    return this.#transaction([VALUES], 'readonly', tx => tx.objectStore(VALUES).get(key)).catch(asUnreadable)
  }

  keys(prefix = '') {
    // U+FFFF is no character, so no key begins with the prefix and it.
    const range = IDBKeyRange.bound(prefix, prefix + '\uffff', false, true)
    return this.#transaction([VALUES], 'readonly', tx => tx.objectStore(VALUES).getAllKeys(range))
  }

  async write(changes, { lost } = {}) {
    if (lost?.aborted) throw lostLock()
    const list = [...changes]
    const lock = lost && this.#held.get(lost)
    const number = await lock?.number
    const isLocked = number !== undefined
    await this.#transaction(isLocked ? [VALUES, NUMBERS] : [VALUES], 'readwrite', tx => {
      const store = tx.objectStore(VALUES)
      if (isLocked) {
        // Fails the whole transaction if another had the lock since. Reading first would require this tab to be awake
        // in between.
        tx.objectStore(NUMBERS).add(true, [lock.name, number + 1])
        tx.objectStore(NUMBERS).delete(IDBKeyRange.bound([lock.name], [lock.name, number]))
      }
      for (const [key, value] of list) {
        if (value === undefined) store.delete(key)
        else store.put(value, key)
      }
    }).catch(error => { throw isLocked && error?.name === 'ConstraintError' ? lostLock() : error })
    if (isLocked) lock.number = number + 1
  }

  /** See `KeptStorage.exclusively`. A tab that is closed, or hangs for 5 s, loses its locks. */
  exclusively(name, work, options) {
    return this.#locks.exclusively(name, lost => {
      // Not awaited: it is read before anything that the work reads.
      const number = this.#number(name).catch(() => undefined)
      this.#held.set(lost, { name, number })
      return work(lost)
    }, { ...options, onTakeOver: () => this.#countUp(name).catch(() => {}) })
  }

  /** Whatever is called afterwards opens it again. */
  close() {
    this.#locks.close()
    this.#opening?.then(database => database.close(), () => {})
    this.#opening = undefined
  }

  async #number(name) {
    const all = IDBKeyRange.bound([name], [name, Infinity])
    const keys = await this.#transaction([NUMBERS], 'readonly', tx => tx.objectStore(NUMBERS).getAllKeys(all))
    return keys.at(-1)?.[1] ?? 0
  }

  async #countUp(name) {
    const next = [name, await this.#number(name) + 1]
    await this.#transaction([NUMBERS], 'readwrite', tx => tx.objectStore(NUMBERS).add(true, next))
  }

  /** The result of the request that `work` returns, once all of it is committed. */
  async #transaction(stores, mode, work) {
    let opening = this.#opening ??= this.#open()
    try {
      return await transaction(await opening, stores, mode, work)
    } catch (error) {
      // Closed by the browser meanwhile: for a transaction of another version, or since the user has cleared the data.
      if (error?.name !== 'InvalidStateError') throw error
      this.#forget(opening)
      opening = this.#opening ??= this.#open()
      return await transaction(await opening, stores, mode, work)
    }
  }

  #forget(opening) {
    if (this.#opening === opening) this.#opening = undefined
    opening.then(database => database.close(), () => {})
  }

  #open() {
    const opening = open(this.name)
    opening.then(database => {
      database.onclose = () => this.#forget(opening)
      // Another tab wants to delete the database: it must not wait for this one.
      database.onversionchange = () => this.#forget(opening)
    }, () => { if (this.#opening === opening) this.#opening = undefined })
    return opening
  }
}

function open(name) {
  return new Promise((resolve, reject) => {
    // Throws where the site's data are blocked, and is not there at all in some private windows.
    const request = indexedDB.open(name, 1)
    let isLate = false
    const stop = afterAwake(OPENING_MS, () => { isLate = true; reject(timeout(OPENING_MS)) })
    request.onupgradeneeded = () => {
      request.result.createObjectStore(VALUES)
      request.result.createObjectStore(NUMBERS)
    }
    request.onsuccess = () => {
      stop()
      if (isLate) request.result.close()
      else resolve(request.result)
    }
    request.onerror = () => { stop(); reject(request.error) }
  })
}

function transaction(database, stores, mode, work) {
  return new Promise((resolve, reject) => {
    const tx = database.transaction(stores, mode)
    let request
    tx.oncomplete = () => resolve(request?.result)
    tx.onabort = () => reject(tx.error ?? new Error('The transaction was aborted'))
    try {
      request = work(tx)
      // Nothing comes after it: a tab that is frozen now must not hold up the others' transactions.
      tx.commit()
    } catch (error) {
      tx.abort()
      reject(error)
    }
  })
}

/** The errors of browsers for a single value whose file is missing or damaged. */
function asUnreadable(error) {
  if (['DataError', 'NotReadableError'].includes(error?.name)) error.isUnreadable = true
  throw error
}
