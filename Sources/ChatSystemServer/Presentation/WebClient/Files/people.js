// What users are called: asked for once, one after the other, and remembered.

/** Says 'change' when a name has come. */
export class People extends EventTarget {
  #names = new Map()
  #wanted = new Set()
  #isAsking = false

  constructor(api) {
    super()
    this.api = api
  }

  /** The name, or one made up until it is there. */
  name(userId) {
    const name = this.#names.get(userId)
    if (name !== undefined) return name
    this.#wanted.add(userId)
    this.#ask()
    return `User ${userId}`
  }

  know(user) { this.#names.set(user.userId, user.displayName || user.username) }

  async #ask() {
    if (this.#isAsking) return
    this.#isAsking = true
    for (const userId of this.#wanted) {
      try {
        this.know(await this.api.user(userId))
      } catch (error) {
        // Asked again with the next look; a user that is not there stays a number.
        if (error.isTemporary || error.status === 401) { this.#wanted.clear(); break }
        this.#names.set(userId, `User ${userId}`)
      }
      this.#wanted.delete(userId)
      this.dispatchEvent(new Event('change'))
    }
    this.#isAsking = false
  }
}
