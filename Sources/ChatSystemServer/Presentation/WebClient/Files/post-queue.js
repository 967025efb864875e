// One's own posts on their way. No network: `outbox.js` sends, this says what and remembers how it went.
//
// A post is {clientMessageId, roomId, text, replyToMessageId?, state, reason?, seq?}; `state` is 'sending' until it is
// answered, then 'sent' until the log shows it, or 'failed' when it was refused. Posts are replaced, not changed.

export class PostQueue {
  posts = []

  constructor(saved = []) {
    for (const post of saved) if (isPost(post)) this.posts.push({ ...post })
  }

  add(post) { this.posts.push({ ...post, state: 'sending' }) }

  /** The next to be sent: in the order in which they were written. */
  get next() { return this.posts.find(post => post.state === 'sending') }

  of(roomId) { return this.posts.filter(post => post.roomId === roomId) }

  /** It was answered with the message that is stored now, perhaps since an earlier attempt. */
  settle(clientMessageId, message) { this.#replace(clientMessageId, { state: 'sent', seq: message.seq }) }

  fail(clientMessageId, reason) { this.#replace(clientMessageId, { state: 'failed', reason }) }

  /** Under the same key: should it have been stored after all, it is not stored twice. */
  retry(clientMessageId) { this.#replace(clientMessageId, { state: 'sending', reason: undefined }) }

  remove(clientMessageId) { this.posts = this.posts.filter(post => post.clientMessageId !== clientMessageId) }

  /** What has to survive a reload. */
  get unsettled() { return this.posts.filter(post => post.state !== 'sent') }

  #replace(clientMessageId, change) {
    this.posts = this.posts.map(post => post.clientMessageId === clientMessageId ? { ...post, ...change } : post)
  }
}

const isPost = post =>
  typeof post?.clientMessageId === 'string' && typeof post.roomId === 'string' && typeof post.text === 'string'
  && (post.state === 'sending' || post.state === 'failed')
