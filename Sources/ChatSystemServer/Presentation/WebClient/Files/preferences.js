// What this browser stores for the page: settings, drafts, names of unsent files. If site data is blocked or full, it
// lasts as long as the page.

/** `localStorage` where it can be used, else the same in memory. */
export class SafeStorage {
  #memory = new Map()
  #storage = null

  /** `find` gives the storage; with blocked site data already naming it throws. */
  constructor(find = () => globalThis.localStorage) {
    try { this.#storage = find() ?? null } catch { /* see above */ }
  }

  get isLasting() { return this.#storage !== null }

  get(key) {
    if (this.#memory.has(key)) return this.#memory.get(key)
    try { return this.#storage?.getItem(key) ?? null } catch { return null }
  }

  /** A `null` removes. Returns whether it lasts. */
  set(key, text) {
    try {
      if (text === null) this.#storage?.removeItem(key)
      else this.#storage?.setItem(key, text)
      if (this.#storage) { this.#memory.delete(key); return true }
    } catch { /* see above */ }
    if (text === null) this.#memory.delete(key)
    else this.#memory.set(key, text)
    return false
  }

  json(key) {
    try { return JSON.parse(this.get(key)) } catch { return null }
  }

  keys(prefix) {
    const found = new Set([...this.#memory.keys()].filter(key => key.startsWith(prefix)))
    try {
      for (let index = 0; index < (this.#storage?.length ?? 0); index += 1) {
        const key = this.#storage.key(index)
        if (key.startsWith(prefix)) found.add(key)
      }
    } catch { /* see above */ }
    return [...found]
  }
}

const DEFAULTS = { language: 'auto', theme: 'auto', previews: true, notifications: false }
const STORED = 'chat.preferences'

/** The choices of this browser. Says 'change'. */
export class Preferences extends EventTarget {
  constructor(storage) {
    super()
    this.storage = storage
    this.values = { ...DEFAULTS, ...storage.json(STORED) }
  }

  get(name) { return this.values[name] }

  set(name, value) {
    this.values[name] = value
    this.storage.set(STORED, JSON.stringify(this.values))
    this.dispatchEvent(new Event('change'))
  }
}

/** Unsent text by room, stored for a user. */
export class Drafts {
  #prefix

  constructor(storage, userId) {
    this.storage = storage
    this.#prefix = `chat.draft.${userId}.`
  }

  get(roomId) { return this.storage.get(this.#prefix + roomId) ?? '' }
  set(roomId, text) { this.storage.set(this.#prefix + roomId, text.trim() === '' ? null : text) }
  forget() { for (const key of this.storage.keys(this.#prefix)) this.storage.set(key, null) }
}

const UNSENT = 'chat.unsent-files.'
const TAB = 'chat.tab'
/** How long a page waits for the lock of the page before it in the same tab. */
const RELOAD_MS = 1_000

/**
 * The names of files that are chosen or being sent, stored for this tab, so that files lost by a reload are reported. A
 * duplicated tab has a copy of these names, but reports nothing: the files are still in the first tab, which holds a
 * lock. Calls `changed()` once that is decided.
 */
export class UnsentFiles {
  /** By room: names of files from before the page was loaded. */
  #lost
  #live = new Map()
  #isDecided

  constructor(storage, userId, { locks, signal, changed = () => {} } = {}) {
    this.storage = storage
    this.key = UNSENT + userId
    const stored = storage.json(this.key)
    this.#lost = new Map(Object.entries(stored ?? {}).filter(([, names]) => Array.isArray(names)))
    // There are no locks on pages that came without TLS.
    this.#isDecided = !locks
    if (locks) this.#claimTab(locks, signal).then(isCopy => {
      this.#isDecided = true
      if (isCopy) this.#lost.clear()
      this.#store()
      changed()
    })
  }

  /** Holds the name of this tab until `signal`. Returns whether another tab holds it, too. */
  async #claimTab(locks, signal) {
    const claim = tab => new Promise(resolve => {
      const held = () => {
        resolve(true)
        return new Promise(release => { signal.addEventListener('abort', release) })
      }
      locks.request(`${TAB}.${tab}`, { signal: AbortSignal.timeout(RELOAD_MS) }, held).catch(() => resolve(false))
    })
    const tab = this.storage.get(TAB)
    if (tab !== null && await claim(tab)) return false
    const own = crypto.randomUUID()
    this.storage.set(TAB, own)
    await claim(own)
    return tab !== null
  }

  /** Those that were lost in a room. */
  lost(roomId) { return this.#isDecided ? this.#lost.get(roomId) ?? [] : [] }

  seen(roomId) {
    this.#lost.delete(roomId)
    this.#store()
  }

  /** `part`: whose names they are. */
  set(roomId, part, names) {
    const before = this.#live.get(`${part} ${roomId}`) ?? []
    if (before.join('/') === names.join('/')) return
    if (names.length > 0) this.#live.set(`${part} ${roomId}`, names)
    else this.#live.delete(`${part} ${roomId}`)
    this.#store()
  }

  forget() {
    this.#lost.clear()
    this.#live.clear()
    this.#store()
  }

  #store() {
    const all = Object.fromEntries(this.#lost)
    for (const [place, names] of this.#live) {
      const roomId = place.slice(place.indexOf(' ') + 1)
      all[roomId] = [...all[roomId] ?? [], ...names]
    }
    this.storage.set(this.key, Object.keys(all).length > 0 ? JSON.stringify(all) : null)
  }
}
