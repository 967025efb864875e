// Pending writes of a failing storage, until they can be made. Strings only; no I/O.

/** FNV-1a. `undefined` stays that. */
export function fingerprint(text) {
  if (text === undefined || text === null) return undefined
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return (value >>> 0).toString(16)
}

const MOST_SEEN = 10_000

/** The last known contents of a storage: fingerprints by key, which reveal changes by other processes. */
export class Seen {
  #fingerprints = new Map()

  get isFilled() { return this.#fingerprints.size > 0 }

  add(key, text) {
    this.#fingerprints.delete(key)
    this.#fingerprints.set(key, fingerprint(text))
    if (this.#fingerprints.size > MOST_SEEN) this.#fingerprints.delete(this.#fingerprints.keys().next().value)
  }

  /** What is known of a key. For one that was never read, any present value counts as changed by another process. */
  base(key) { return { isKnown: this.#fingerprints.has(key), fingerprint: this.#fingerprints.get(key) } }
}

export class Overlay {
  /**
   * key → { text, base, attempted }: `text` undefined for a deletion, `base` what the storage was seen to hold, `attempted` the
   * fingerprints of what was tried to write.
   */
  entries = new Map()

  has(key) { return this.entries.has(key) }

  get(key) { return this.entries.get(key)?.text }

  apply(changes, seen) {
    for (const [key, text] of changes) {
      const entry = this.entries.get(key)
      if (entry) entry.text = text
      else this.entries.set(key, { text, base: seen.base(key), attempted: new Set() })
    }
  }

  /** The keys of the storage together with the pending changes, sorted. */
  keysOver(stored, prefix) {
    const keys = new Set(stored)
    for (const [key, { text }] of this.entries) {
      if (!key.startsWith(prefix)) continue
      if (text === undefined) keys.delete(key)
      else keys.add(key)
    }
    return [...keys].sort()
  }

  /** Records attempted writes: a failed write may still have taken effect. */
  attempt(changes) {
    for (const [key, text] of changes) {
      this.entries.get(key)?.attempted.add(fingerprint(text))
    }
  }
}
