// What a storage that fails was to keep, until it can be written there. Texts only; no I/O.

/** FNV-1a. `undefined` stays that. */
export function fingerprint(text) {
  if (text === undefined || text === null) return undefined
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return (value >>> 0).toString(16)
}

const MOST_SEEN = 10_000

/** What a storage was last seen to hold: fingerprints by key, which show what another process has changed. */
export class Seen {
  #fingerprints = new Map()

  add(key, text) {
    this.#fingerprints.delete(key)
    this.#fingerprints.set(key, fingerprint(text))
    if (this.#fingerprints.size > MOST_SEEN) this.#fingerprints.delete(this.#fingerprints.keys().next().value)
  }

  /** Also where it was never looked at: then nothing can be said of what is there, but of nothing. */
  base(key) { return { isKnown: this.#fingerprints.has(key), fingerprint: this.#fingerprints.get(key) } }
}

export class Overlay {
  /** key → { text, base, attempted }: `text` undefined for a deletion, `base` what the storage was seen to hold. */
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

  /** The keys of the storage with what is here laid over them, sorted. */
  keysOver(stored, prefix) {
    const keys = new Set(stored)
    for (const [key, { text }] of this.entries) {
      if (!key.startsWith(prefix)) continue
      if (text === undefined) keys.delete(key)
      else keys.add(key)
    }
    return [...keys].sort()
  }

  /** These were tried: a write that fails may have been done all the same. */
  attempt(changes) {
    for (const [key, text] of changes) {
      this.entries.get(key)?.attempted.add(text)
    }
  }
}
