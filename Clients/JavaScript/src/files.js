// `room.sendFile(…)` and `room.file(…)`. Loaded on demand: it is bundled with its imports as a file of its own, which
// pages without files never load. So it shares no classes with the rest, and creates errors with `chat.error`.

import { Pauses } from './core/timers.js'
import { pause } from './clock.js'
import { fileName } from './file-name.js'
import { hasMetadata, withoutMetadata } from './picture.js'
import { refusal } from './rest.js'
import { thumbnailOf } from './thumbnail.js'

export { fileOf as file } from './file-infos.js'

/** An upload without progress for this long has failed. */
const STALL_MS = 60_000
/** Larger pictures keep their metadata: removing it requires the whole file in memory. */
const MAXIMUM_PICTURE_BYTES = 64 * 1024 * 1024
/** Time limit for the upload of a thumbnail. */
const THUMBNAIL_MS = 20_000
const REPEATABLE = new Set([408, 425, 429])
const HEAD_BYTES = 12
const MOST_KEY = 64
const KEY_BYTES = 16
/** Size of the parts in which a file is read for a stream. */
const PIECE_BYTES = 64 * 1024

/**
 * Uploads a file, then sends a message that names it. An upload that breaks is begun again, under the same key, so that it is
 * stored once. Until it is done the file is in this process alone; from then on the message is one of the outbox.
 *
 * @param room the room
 * @param chat what `Chat` gives its rooms
 * @param {Blob} file
 * @param options `{name, caption, key, replyTo, messageType, payload, onProgress({sent, total}), signal, keepMetadata, thumbnail}`
 * @returns {Promise<Post>} Fails with a `ChatError` where the upload is refused, with the signal's reason where it is aborted.
 */
export async function sendFile(room, chat, file, options = {}) {
  if (typeof file?.slice !== 'function' || typeof file.arrayBuffer !== 'function') throw new TypeError('A file is a Blob')
  const { name = fileName(file.name), caption, key, replyTo, payload, keepMetadata = false, thumbnail = true, signal } = options
  const stop = new AbortController()
  const abort = () => stop.abort(signal.reason)
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort)
  const wake = new Wake()
  // `return` is called when the chat is closed, `head` when the room's connection is there again.
  const life = {
    return: () => stop.abort(chat.error('closed', 'The chat is closed')),
    reading: { head: () => wake.now(), event() {}, reset() {}, missed() {}, removed() {} },
  }
  room.attach(life)
  try {
    const { content, isPicture } = await prepared(chat, file, keepMetadata)
    const upload = new Upload(chat, { roomId: room.id, name }, content, { key: await uploadKey(key), signal: stop.signal, wake })
    // In quotes: scripts/client-bundle shortens property names that begin with `on`, and this one is public.
    const stored = await upload.run(progress(chat, options['onProgress']))
    const { fileId, mimeType } = stored
    if (thumbnail && isPicture) await addThumbnail(chat, room.id, fileId, content, stop.signal)
    stop.signal.throwIfAborted()
    return room.send({ fileId, ...caption !== undefined && { caption }, ...payload }, {
      ...key !== undefined && { key }, replyTo, messageType: options.messageType ?? typeOf(mimeType),
    })
  } finally {
    room.detach(life)
    signal?.removeEventListener('abort', abort)
  }
}

/** The type of message that shows a file. */
export const typeOf = mimeType => ['image', 'video', 'audio'].find(type => String(mimeType).startsWith(`${type}/`)) ?? 'file'

async function prepared(chat, file, keepMetadata) {
  const read = async part => {
    try { return new Uint8Array(await part.arrayBuffer()) } catch (error) { throw unreadable(chat, error) }
  }
  const isPicture = hasMetadata(await read(file.slice(0, HEAD_BYTES)))
  if (!isPicture || keepMetadata || file.size > MAXIMUM_PICTURE_BYTES) return { content: file, isPicture }
  const bytes = await read(file)
  const clean = withoutMetadata(bytes)
  return { content: clean === bytes ? file : new Blob([clean], { type: file.type }), isPicture }
}

/** A file that was chosen may be changed or deleted before it is sent. */
const unreadable = (chat, cause) => Object.assign(chat.error('invalid', 'The file cannot be read'), { cause })

/** Whether the content can be read; `true` if the signal ends the wait. */
const isReadable = (content, signal) => new Promise(resolve => {
  if (signal.aborted) return resolve(true)
  signal.addEventListener('abort', () => resolve(true))
  content.slice(0, 1).arrayBuffer().then(() => resolve(true), () => resolve(false))
})

/** Tells how much is sent; a listener that fails is reported. */
const progress = (chat, listener) => (sent, total) => {
  try { listener?.({ sent, total }) } catch (error) { chat.reportListener(error, 'progress') }
}

/** Uploads a thumbnail, once: without it the file is still usable. */
async function addThumbnail(chat, roomId, fileId, content, signal) {
  const thumbnail = await thumbnailOf(content)
  if (!thumbnail) return
  const limited = AbortSignal.any?.([signal, AbortSignal.timeout(THUMBNAIL_MS)]) ?? signal
  try {
    await new Upload(chat, { roomId, name: 'thumbnail', thumbnailOf: fileId }, thumbnail, { key: newKey(), signal: limited }).once(() => {})
  } catch { /* It is shown without one. */ }
}

/** One upload, under one key. */
class Upload {
  #chat
  #query
  #content
  #signal
  #wake
  #key

  constructor(chat, query, content, { key, signal, wake }) {
    this.#key = key
    this.#chat = chat
    this.#query = query
    this.#content = content
    this.#signal = signal
    this.#wake = wake
  }

  /** Tries until it is stored or refused. */
  async run(onSent) {
    const pauses = new Pauses(Math.random)
    for (;;) {
      this.#signal.throwIfAborted()
      try {
        return await this.once(onSent)
      } catch (error) {
        this.#signal.throwIfAborted()
        if (!isPassing(error)) throw error
        const { retryAfterMs } = error
        // A delay that the server asked for is kept, even if the connection returns.
        if (retryAfterMs > 0) await pause(Math.max(pauses.next(), retryAfterMs), this.#signal)
        else await this.#wake.pause(pauses.next(), this.#signal)
      }
    }
  }

  /** One try, with a second one where the token is refused. */
  once(onSent) {
    return this.#chat.rest.call('messages', 'POST', '/files', {
      query: this.#query, once: (method, url, _, token) => this.#send(url, this.#headers(token), onSent),
    })
  }

  #headers(token) {
    const userId = this.#chat.userId()
    return {
      Accept: 'application/json', 'Content-Type': this.#content.type || 'application/octet-stream', 'Idempotency-Key': this.#key,
      ...token !== undefined ? { Authorization: `Bearer ${token}` } : userId !== undefined && { 'X-User-Id': String(userId) },
    }
  }

  async #send(url, headers, onSent) {
    const send = typeof XMLHttpRequest === 'function' ? byXHR : byFetch
    const watch = new Watch(this.#signal)
    const total = this.#content.size
    try {
      const answer = await send(this.#chat.fetch, url, headers, this.#content, watch.signal, sent => {
        watch.moved()
        onSent(Math.min(sent, total), total)
      })
      if (answer.status >= 200 && answer.status < 300) return this.#file(answer)
      const { code, message, ...fields } = refusal(answer, answer.text)
      throw Object.assign(this.#chat.error(code, message), fields)
    } catch (error) {
      if (error?.code && error.name === 'ChatError') throw error
      // Without a response the cause may be the file, and then no retry helps.
      if (!await isReadable(this.#content, watch.signal)) throw unreadable(this.#chat, error)
      throw Object.assign(this.#chat.error(watch.isLate ? 'timeout' : 'network', 'The upload broke'), { isTemporary: true, cause: error })
    } finally {
      watch.end()
    }
  }

  #file({ status, text }) {
    try {
      const file = JSON.parse(text)
      if (typeof file.fileId === 'string') return file
    } catch { /* a proxy that answers in the server's place */ }
    throw Object.assign(this.#chat.error('protocol', 'The response is not a file'), { status, isTemporary: true })
  }
}

/** The upload key for a message key: repeating the call after a restart yields the same file. */
async function uploadKey(key = '') {
  // As a field of HTTP can have it.
  const encoded = encodeURIComponent(key)
  if (encoded !== '' && encoded.length <= MOST_KEY) return encoded
  // Pages that are not secure have no digests.
  if (encoded === '' || !crypto.subtle) return newKey()
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key)), 0, KEY_BYTES))
}

const newKey = () => hex(crypto.getRandomValues(new Uint8Array(KEY_BYTES)))

const hex = bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')

const isPassing = ({ code, status, isTemporary }) => code === 'upload_in_progress' || REPEATABLE.has(status) || isTemporary === true

/** Pauses that end early when there is a connection again. */
class Wake {
  #stop = new AbortController()

  now() { this.#stop.abort() }

  async pause(ms, signal) {
    this.#stop = new AbortController()
    const end = () => this.now()
    signal.addEventListener('abort', end)
    if (!signal.aborted) await pause(ms, this.#stop.signal)
    signal.removeEventListener('abort', end)
  }
}

/** Aborts a request that makes no progress. */
class Watch {
  isLate = false
  #stop = new AbortController()
  #outer
  #timer
  #isOver = false
  #abort = () => this.#stop.abort(this.#outer.reason)

  constructor(outer) {
    this.#outer = outer
    if (outer.aborted) this.#abort()
    outer.addEventListener('abort', this.#abort)
    this.moved()
  }

  get signal() { return this.#stop.signal }

  moved() {
    if (this.#isOver) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => { this.isLate = true; this.#stop.abort() }, STALL_MS)
  }

  end() {
    // The body may still be read for a moment after the request has failed.
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#outer.removeEventListener('abort', this.#abort)
  }
}

/** In pages: `fetch` does not say how much it has sent. */
const byXHR = (_, url, headers, content, signal, onSent) => new Promise((resolve, reject) => {
  const request = new XMLHttpRequest()
  const abort = () => request.abort()
  const end = settle => () => { signal.removeEventListener('abort', abort); settle() }
  request.open('POST', url)
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
  request.upload.onprogress = event => onSent(event.loaded)
  request.onload = end(() => resolve({
    status: request.status, text: request.responseText, headers: { get: name => request.getResponseHeader(name) },
  }))
  request.onerror = request.onabort = end(() => reject(new Error('broken')))
  if (signal.aborted) return reject(signal.reason)
  signal.addEventListener('abort', abort)
  request.send(content)
})

/** Elsewhere, as a stream that is counted as it is read. */
async function byFetch(fetch, url, headers, content, signal, onSent) {
  let sent = 0
  const counted = new ReadableStream({
    async pull(controller) {
      if (sent >= content.size) return controller.close()
      const piece = new Uint8Array(await content.slice(sent, sent + PIECE_BYTES).arrayBuffer())
      sent += piece.length
      onSent(sent)
      controller.enqueue(piece)
    },
  })
  const answer = await fetch(url, {
    method: 'POST', headers, body: counted, duplex: 'half', signal, credentials: 'omit', cache: 'no-store', redirect: 'error',
  })
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}
