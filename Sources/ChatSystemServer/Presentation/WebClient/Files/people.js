// Display names of users: requested once, a few at a time, and stored in this browser for offline starts.

import { shownName } from './names.js'

const AT_ONCE = 4
const MOST_KEPT = 500
const STORED = 'chat.people'
/** An older name is requested again when it is shown. */
const FRESH_MS = 10 * 60_000

/** Says 'change' when names have come, at most once a frame. */
export class People extends EventTarget {
  #known = new Map()
  #wanted = new Set()
  #underWay = new Set()
  #asking = 0
  #isDue = false
  #pausedUntil = 0

  constructor(api, storage, now = Date.now) {
    super()
    Object.assign(this, { api, storage, now })
    for (const [userId, name, at] of storage.json(STORED) ?? []) this.#known.set(userId, { name, at })
  }

  /** The name, or a number until it is there. */
  name(userId) {
    const entry = this.#known.get(userId)
    if (!entry || this.now() - entry.at > FRESH_MS) this.#want(userId)
    return entry?.name ?? `User ${userId}`
  }

  /** Takes a user that came with some other answer. */
  know(user) {
    this.#known.set(user.userId, { name: nameOf(user), at: this.now() })
    this.#changed()
  }

  /** Asks again: somebody has changed their name. */
  forget(userId) { this.#known.delete(userId) }

  #want(userId) {
    if (this.#underWay.has(userId)) return
    this.#wanted.add(userId)
    if (this.#asking === 0 && this.now() >= this.#pausedUntil) for (let index = 0; index < AT_ONCE; index += 1) this.#ask()
  }

  async #ask() {
    this.#asking += 1
    // What was wanted in this turn of the loop goes together.
    await null
    for (const userId of this.#wanted) {
      this.#wanted.delete(userId)
      this.#underWay.add(userId)
      try {
        this.know(await this.api.user(userId))
      } catch (error) {
        if (error.isTemporary || error.status === 401) {
          // Requested again when it is shown next, after a pause.
          this.#wanted.clear()
          this.#pausedUntil = this.now() + 5_000
          break
        }
        this.#known.set(userId, { name: `User ${userId}`, at: this.now() })
      } finally {
        this.#underWay.delete(userId)
      }
    }
    this.#asking -= 1
  }

  #changed() {
    if (this.#isDue) return
    this.#isDue = true
    setTimeout(() => {
      this.#isDue = false
      const kept = [...this.#known].slice(-MOST_KEPT).map(([userId, { name, at }]) => [userId, name, at])
      this.storage.set(STORED, JSON.stringify(kept))
      this.dispatchEvent(new Event('change'))
    }, 16)
  }
}

/** What a user is called on the screen. */
export const nameOf = user => shownName(user.displayName, shownName(user.username, `User ${user.userId}`))
