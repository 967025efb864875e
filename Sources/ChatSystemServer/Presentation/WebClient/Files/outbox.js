// Sends one's posts, one after the other, until each is answered or refused. It belongs to the user, not to a room: what
// was written is sent also when another room is opened, and after a reload.

import { Backoff } from './backoff.js'
import { PostQueue } from './post-queue.js'

const STORED = 'chat.outbox.'

/** Says 'change'. */
export class Outbox extends EventTarget {
  #queue
  #isSending = false
  #isClosed = false
  #wake = null
  #backoff = new Backoff()

  constructor(api, userId, storage = window.sessionStorage) {
    super()
    this.api = api
    this.storage = storage
    this.key = STORED + userId
    this.#queue = new PostQueue(this.#restored())
    this.hurry = () => this.#wake?.()
    window.addEventListener('online', this.hurry)
    this.#send()
  }

  close() {
    this.#isClosed = true
    window.removeEventListener('online', this.hurry)
    this.hurry()
  }

  /** Leaves nothing behind for whoever signs in next. */
  forget() {
    try { this.storage.removeItem(this.key) } catch { /* nothing is stored */ }
  }

  of(roomId) { return this.#queue.of(roomId) }

  add(roomId, text, replyToMessageId) {
    this.#queue.add({ clientMessageId: newKey(), roomId, text, replyToMessageId })
    this.#changed()
    this.#send()
  }

  retry(clientMessageId) {
    this.#queue.retry(clientMessageId)
    this.#changed()
    this.#send()
  }

  /** Of a failed post: give it up. Of a sent one: the log shows it. */
  remove(clientMessageId) {
    this.#queue.remove(clientMessageId)
    this.#changed()
  }

  async #send() {
    if (this.#isSending) return
    this.#isSending = true
    for (let post; !this.#isClosed && (post = this.#queue.next); ) {
      try {
        this.#queue.settle(post.clientMessageId, await this.api.post(post))
        this.#backoff.reset()
      } catch (error) {
        const isSignedIn = this.api.session.userId !== undefined
        // A token that is refused although it is a fresh one: the keys may not have come around yet.
        if (error.isTemporary || (error.status === 401 && isSignedIn)) {
          await this.#pause(Math.max(error.retryAfterMs, this.#backoff.next()))
          continue
        }
        // Signed out: it is kept for the next time.
        if (!isSignedIn) break
        this.#queue.fail(post.clientMessageId, error.message)
      }
      this.#changed()
    }
    this.#isSending = false
  }

  #pause(milliseconds) {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, milliseconds)
      this.#wake = () => { clearTimeout(timer); resolve() }
    }).finally(() => { this.#wake = null })
  }

  #changed() {
    try { this.storage.setItem(this.key, JSON.stringify(this.#queue.unsettled)) } catch { /* lives as the page does */ }
    this.dispatchEvent(new Event('change'))
  }

  #restored() {
    try {
      const posts = JSON.parse(this.storage.getItem(this.key))
      return Array.isArray(posts) ? posts : []
    } catch {
      return []
    }
  }
}

/** `crypto.randomUUID` is there over https alone. */
function newKey() {
  return 'web-' + Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')
}
