// For storages of an application's own that have no `write`. Imported where it is needed: pages that use the browser's
// database never load it.

const JOURNAL = 'journal'

/**
 * Adds an atomic `write` to a `ChatStorage` without one. The changes are first stored as one value, the journal, which
 * is deleted once they are made. The next reader or writer finishes an interrupted write.
 */
export class BatchedStorage {
  #storage
  #journal
  #begun

  constructor(storage, prefix) {
    this.#storage = storage
    this.#journal = prefix + JOURNAL
  }

  async get(key) {
    await this.#begin()
    return await this.#storage.get(key)
  }

  async keys(prefix) {
    await this.#begin()
    return [...await this.#storage.keys(prefix)].filter(key => key !== this.#journal)
  }

  async write(changes) {
    await this.#begin()
    // A journal that a killed process has left since.
    await this.#finish()
    if (changes.length === 1) return await this.#apply(changes)
    await this.#storage.set(this.#journal, JSON.stringify(changes))
    await this.#finish()
  }

  #begin() {
    this.#begun ??= this.#finish().catch(error => {
      this.#begun = undefined
      throw error
    })
    return this.#begun
  }

  async #finish() {
    const text = await this.#storage.get(this.#journal)
    if (text === undefined || text === null) return
    let changes = []
    // A partly written journal was never committed.
    try { changes = JSON.parse(text) } catch { /* see above */ }
    await this.#apply(changes)
    await this.#storage.delete(this.#journal)
  }

  async #apply(changes) {
    for (const [key, text] of changes) {
      // JSON has `null` for what is `undefined`.
      if (text === undefined || text === null) await this.#storage.delete(key)
      else await this.#storage.set(key, text)
    }
  }
}
