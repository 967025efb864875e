// What a storage that fails was to keep, until it can be written there. Texts only; no I/O.

/** What the storage held when it failed could not be read. */
const UNKNOWN = Symbol('unknown')

export class Overlay {
  /** key → { text, base, attempted }: `text` undefined for a deletion, `base` what the storage held before. */
  #entries = new Map()

  get isEmpty() { return this.#entries.size === 0 }

  has(key) { return this.#entries.has(key) }

  get(key) { return this.#entries.get(key)?.text }

  /** @param known what the storage held, as far as it was read: key → text or undefined. */
  apply(changes, known = new Map()) {
    for (const [key, text] of changes) {
      const entry = this.#entries.get(key)
      if (entry) entry.text = text
      else this.#entries.set(key, { text, base: known.has(key) ? known.get(key) : UNKNOWN, attempted: new Set() })
    }
  }

  /** The keys of the storage with what is here laid over them, sorted. */
  keysOver(stored, prefix) {
    const keys = new Set(stored)
    for (const [key, { text }] of this.#entries) {
      if (!key.startsWith(prefix)) continue
      if (text === undefined) keys.delete(key)
      else keys.add(key)
    }
    return [...keys].sort()
  }

  /** The keys by unit: what must be written, or given up, together. */
  units(unitOf) {
    const units = new Map()
    for (const key of this.#entries.keys()) {
      const unit = unitOf(key)
      if (!units.has(unit)) units.set(unit, [])
      units.get(unit).push(key)
    }
    return units
  }

  /**
   * The changes of a unit that may be written. Where another process has changed one of its values since the failure:
   * those that `merge(key, stored, own)` makes, or none. What is in the storage is then as good as what is here, and half
   * of each would fit nothing.
   */
  changesOf(keys, stored, merge = () => undefined) {
    const isChanged = keys.some(key => {
      const { text, base, attempted } = this.#entries.get(key)
      const present = stored.get(key)
      const isOurs = present === base || present === text || attempted.has(present)
      return !isOurs && (base !== UNKNOWN || present !== undefined)
    })
    const changes = keys.map(key => [key, this.#entries.get(key).text])
    if (!isChanged) return changes
    return changes.map(([key, text]) => [key, merge(key, stored.get(key), text)]).filter(([, text]) => text !== undefined)
  }

  /** These were tried: a write that fails may have been done all the same. */
  attempt(changes) {
    for (const [key, text] of changes) {
      this.#entries.get(key)?.attempted.add(text)
    }
  }

  forget(keys) {
    for (const key of keys) this.#entries.delete(key)
  }
}
