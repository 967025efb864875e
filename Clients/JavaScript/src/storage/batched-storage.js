// For storages of an application's own that have no `write`. Imported where it is needed: pages that use the browser's
// database never load it.

const JOURNAL = 'journal'

/**
 * Adds an atomic `write` to a `ChatStorage` without one. The changes are first stored as one value, the journal, which
 * is deleted once they are made. Until then all read it with the values. A write of another process may be under way:
 * only the next write, which has the lock of steps, finishes one that was interrupted.
 */
export class BatchedStorage {
  #storage
  #journal

  constructor(storage, prefix) {
    this.#storage = storage
    this.#journal = prefix + JOURNAL
  }

  async get(key) {
    const change = (await this.#pending()).find(([name]) => name === key)
    return change ? change[1] ?? undefined : await this.#storage.get(key)
  }

  async keys(prefix) {
    const pending = await this.#pending()
    const keys = new Set(await this.#storage.keys(prefix))
    for (const [key, text] of pending) {
      if (isDeletion(text)) keys.delete(key)
      else if (key.startsWith(prefix)) keys.add(key)
    }
    keys.delete(this.#journal)
    return [...keys]
  }

  async write(changes) {
    const pending = await this.#pending()
    const isSingle = changes.length === 1
    // A single value needs no lock, so it leaves the journal alone, unless that would undo it.
    if (pending.some(([key]) => !isSingle || key === changes[0][0])) await this.#make(pending)
    if (isSingle) return await this.#apply(changes)
    await this.#storage.set(this.#journal, JSON.stringify(changes))
    await this.#make(changes)
  }

  /** The changes of the journal. */
  async #pending() {
    const text = await this.#storage.get(this.#journal)
    if (text === undefined || text === null) return []
    // A partly written journal was never committed.
    try { return JSON.parse(text) } catch { return [] }
  }

  async #make(changes) {
    await this.#apply(changes)
    await this.#storage.delete(this.#journal)
  }

  async #apply(changes) {
    for (const [key, text] of changes) {
      if (isDeletion(text)) await this.#storage.delete(key)
      else await this.#storage.set(key, text)
    }
  }
}

/** JSON has `null` for what is `undefined`. */
const isDeletion = text => text === undefined || text === null
