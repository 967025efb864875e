import { frozen, ownKey } from './core/timeline.js'
import { ChatError, deferred } from './error.js'

/** A message on its way to the server. It ends as stored, refused or discarded. */
export class Post {
  #outbox
  #kept = deferred()
  #stored = deferred()
  state = 'new'
  error
  isCertain

  constructor(outbox, { key, roomId, messageType, payload, replyToMessageId, createdAt }) {
    this.#outbox = outbox
    Object.assign(this, { key, roomId, messageType, payload, replyToMessageId, createdAt })
  }

  /** Settles when the store has the post. */
  get kept() { return this.#kept.promise }
  /** The message's `{messageId, seq}`; fails with a `ChatError` where the post is refused or given up. */
  get stored() { return this.#stored.promise }

  retry() { this.#outbox.retry(this) }
  /** Gives the post up. True: it is not stored and never will be. */
  discard() { return this.#outbox.discard(this) }

  /** As a message at the end of its room's list. */
  asMessage(userId) {
    const { key, roomId, messageId, seq, messageType, payload, replyToMessageId, createdAt } = this
    return frozen({
      key: ownKey(key), ...messageId && { messageId, seq }, roomId, senderId: userId, messageType,
      contentJson: JSON.stringify(payload), ...replyToMessageId && { replyToMessageId },
      sentAt: createdAt, clientMessageId: key, isEdited: false, isDeleted: false, post: this,
    })
  }

  /** For the outbox alone. */
  become(state, { code, status, isTemporary, isCertain, messageId, seq } = {}) {
    if (this.state === 'refused' && state === 'queued') this.#stored = deferred()
    this.state = state
    if (state !== 'new') this.#kept.resolve()
    this.error = state === 'refused' ? new ChatError(code, `The post was refused: ${code}`, { status, isTemporary }) : undefined
    this.isCertain = state === 'refused' ? isCertain : state === 'stored' || undefined
    if (state === 'stored') {
      Object.assign(this, { messageId, seq })
      this.#stored.resolve({ messageId, seq })
    } else if (state === 'refused') this.#stored.reject(this.error)
  }

  /** For the outbox alone: it ends without an answer. */
  end(error) {
    this.#kept.reject(error)
    this.#stored.reject(error)
  }
}
