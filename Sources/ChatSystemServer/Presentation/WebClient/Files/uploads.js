// Files that are being sent: one at a time in each room, in the order chosen, shown as messages until the real ones are
// there. An upload ends with the page; files that were not sent by then are reported when the page is opened again.

import { messageTypeOf } from './attaching.js'

// Loaded in advance: there may be no connection when the first file is sent.
import('/client/v1/files.js').catch(() => {})

/** For this many of the last messages the local picture is shown instead of the server's. */
const MOST_PREVIEWS = 40

/** Says 'change' (what is shown), 'progress' and 'refused' (`detail`: the upload). */
export class Uploads extends EventTarget {
  /** By room; those that are under way, refused, or not yet among the room's messages. */
  #uploads = new Map()
  #running = new Set()
  /** By the key of the message: what this page knows of a file that it has sent. */
  #sent = new Map()

  /** `room(roomId)` gives the library's; `unsent` keeps names; `urls`: `createObjectURL` and `revokeObjectURL`. */
  constructor({ room, userId, unsent, urls = URL, newKey = randomKey, now = Date.now }) {
    super()
    Object.assign(this, { room, userId, unsent, urls, newKey, now })
  }

  /** How many would be lost with the page. */
  get count() { return [...this.#uploads.values()].flat().filter(({ isKept }) => !isKept).length }

  /** `files`: `{file, name, width?, height?}` in order; the caption and the reply are the first one's. */
  send(roomId, files, { caption = '', replyTo } = {}) {
    const added = files.map(({ file, name, width, height }, index) => ({
      key: this.newKey(), roomId, file, name, width, height, at: this.now(), state: 'waiting', sent: 0, isAgain: false, isKept: false,
      preview: this.urls.createObjectURL(file), caption: index === 0 ? caption : '', ...index === 0 && { replyTo },
    }))
    this.#uploads.set(roomId, [...this.#uploads.get(roomId) ?? [], ...added])
    this.#changed(roomId)
    this.#run(roomId)
  }

  /** The messages of a room with what is being sent at their end. */
  shown(roomId, messages) {
    const uploads = this.#uploads.get(roomId) ?? []
    if (uploads.length === 0 && this.#sent.size === 0) return messages
    const keys = new Set()
    const known = messages.map(message => {
      // Keys are one's own: another's message may have the same.
      if (!this.#isOwn(message) || (!this.#sent.has(message.clientMessageId) && uploads.length === 0)) return message
      keys.add(message.clientMessageId)
      const sent = message.seq === undefined ? this.#sent.get(message.clientMessageId) : undefined
      // Before a message is stored it has the file's id alone.
      return sent ? { ...message, contentJson: contentOf(sent, JSON.parse(message.contentJson)) } : message
    })
    const pending = uploads.filter(({ key }) => !keys.has(key))
    const left = uploads.filter(({ key, isKept }) => !isKept || !keys.has(key))
    if (left.length < uploads.length) this.#keep(roomId, left)
    return [...known, ...pending.map(upload => this.#message(upload))]
  }

  /** The local address of a message's file, where this page has sent it. */
  preview(message) {
    const key = message.clientMessageId
    return this.#isOwn(message) ? this.#sent.get(key)?.preview ?? this.#find(key)?.preview : undefined
  }

  find(key) { return this.#find(key) }

  /** Ends an upload, or gives one up that was refused. Returns its caption. */
  discard(key) {
    const upload = this.#find(key)
    if (!upload || upload.post) return ''
    upload.stop?.abort()
    this.urls.revokeObjectURL(upload.preview)
    this.#keep(upload.roomId, this.#uploads.get(upload.roomId).filter(each => each !== upload))
    return upload.caption
  }

  retry(key) {
    const upload = this.#find(key)
    if (upload?.state !== 'refused') return
    Object.assign(upload, { state: 'waiting', error: undefined, sent: 0, isAgain: false })
    this.#changed(upload.roomId)
    this.#run(upload.roomId)
  }

  close() {
    for (const upload of [...this.#uploads.values()].flat()) {
      upload.stop?.abort()
      this.urls.revokeObjectURL(upload.preview)
    }
    for (const { preview } of this.#sent.values()) this.urls.revokeObjectURL(preview)
    this.#uploads.clear()
    this.#sent.clear()
  }

  #isOwn({ senderId, seq }) { return senderId === this.userId || seq === undefined }

  #find(key) { return [...this.#uploads.values()].flat().find(upload => upload.key === key) }

  #message(upload) {
    const { key, roomId, file, at, replyTo } = upload
    return {
      key: `upload:${key}`, roomId, senderId: this.userId, messageType: messageTypeOf(file.type), clientMessageId: key, upload,
      contentJson: contentOf(upload, { fileId: '', caption: upload.caption }), sentAt: new Date(at).toISOString(),
      ...replyTo !== undefined && { replyToMessageId: replyTo }, isEdited: false, isDeleted: false,
    }
  }

  async #run(roomId) {
    if (this.#running.has(roomId)) return
    this.#running.add(roomId)
    for (let next; (next = this.#uploads.get(roomId)?.find(({ state }) => state === 'waiting'));) await this.#upload(next)
    this.#running.delete(roomId)
  }

  async #upload(upload) {
    const { roomId, key, file, caption, replyTo } = upload
    upload.stop = new AbortController()
    upload.state = 'uploading'
    this.#changed(roomId)
    try {
      const post = await this.room(roomId).sendFile(file, {
        key, replyTo, signal: upload.stop.signal, ...caption !== '' && { caption }, onProgress: step => this.#progress(upload, step),
      })
      this.#posted(upload, post)
    } catch (error) {
      // Given up, or the page's user is another now.
      if (upload.stop.signal.aborted || error.code === 'closed') return
      Object.assign(upload, { state: 'refused', error })
      this.dispatchEvent(new CustomEvent('refused', { detail: upload }))
    }
    this.#changed(roomId)
  }

  #progress(upload, { sent, total }) {
    const isBegun = sent < upload.sent
    Object.assign(upload, { sent, total })
    if (isBegun && !upload.isAgain) {
      upload.isAgain = true
      this.#changed(upload.roomId)
    }
    this.dispatchEvent(new CustomEvent('progress', { detail: upload }))
  }

  #posted(upload, post) {
    Object.assign(upload, { state: 'posted', post })
    this.#sent.set(upload.key, upload)
    if (this.#sent.size > MOST_PREVIEWS) {
      const [[oldest, { preview }]] = this.#sent
      this.#sent.delete(oldest)
      this.urls.revokeObjectURL(preview)
    }
    // From now on it is in the outbox, and on the disk once the outbox has stored it.
    const kept = () => {
      upload.isKept = true
      if (this.#find(upload.key) === upload) this.#changed(upload.roomId)
    }
    post.kept.then(kept, kept)
    // Also if the room's messages never include it.
    const done = () => this.#keep(upload.roomId, (this.#uploads.get(upload.roomId) ?? []).filter(each => each !== upload))
    post.stored.then(done, done)
  }

  #keep(roomId, uploads) {
    if (uploads.length > 0) this.#uploads.set(roomId, uploads)
    else this.#uploads.delete(roomId)
    this.#changed(roomId)
  }

  #changed(roomId) {
    const names = (this.#uploads.get(roomId) ?? []).filter(({ isKept }) => !isKept).map(({ name }) => name)
    this.unsent.set(roomId, 'uploads', names)
    this.dispatchEvent(new Event('change'))
  }
}

/** The payload as the server will complete it. */
const contentOf = ({ file, name, width, height, caption }, content) => JSON.stringify({
  ...caption !== '' && { caption }, ...content, fileName: name, fileSize: file.size, mimeType: file.type, width, height,
})

/** `crypto.randomUUID` exists only in secure contexts. */
const randomKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')
