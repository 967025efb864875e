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

/**
 * Sends a post to the server once. Never rejects.
 *
 * @param rest a `Rest`
 * @returns the answer: `{status, message}`, or `{status, code, isProblem, retryAfterMs?}` where nothing was stored; without a
 *   `status`, `{retryAfterMs?, isUnsent?}`, where there was no answer, or one that is not the server's
 */
export async function attempt(rest, { key, roomId, messageType, payload, replyToMessageId }) {
  try {
    const body = { roomId, messageType, payload, clientMessageId: key, replyToMessageId }
    const message = await rest.call('messages', 'POST', '/messages', { body })
    return Number.isSafeInteger(message?.messageId) && Number.isSafeInteger(message?.seq) ? { status: 200, message } : {}
  } catch ({ status, code, isProblem, retryAfterMs, isUnsent }) {
    const isAnswer = (status < 200 || status >= 300) && !isUnsent
    return isAnswer ? { status, code, isProblem, retryAfterMs } : { retryAfterMs, isUnsent }
  }
}

/** Makes another call of the same server, which shows whether only the post fails. The answer goes to `Rest.onAnswer`. */
export async function probe(rest, roomId) {
  try { await rest.call('messages', 'GET', `/rooms/${roomId}/messages`, { query: { limit: 1 } }) } catch { /* as good */ }
}
