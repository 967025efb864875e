// The files of the open room: to be sent, being uploaded, and shown in messages.

import { toast } from './attention.js'
import { attachmentsOf, summaryOf } from './content.js'
import { byId, listen } from './dom.js'
import { isolated } from './names.js'
import { SafeStorage, UnsentFiles } from './preferences.js'
import { errorText, t } from './strings.js'
import { Tray } from './tray.js'
import { Uploads } from './uploads.js'
import { Viewer } from './viewer.js'

const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000

export class RoomFiles {
  /** Keys of pictures that are being downloaded. */
  #saving = new Set()

  /** `messages()`: those of the open room; `on`: `changed()`, `progress(upload)`, `say(words)`, `closed(row)`. */
  constructor({ chat, userId, preferences, messages, on, signal }) {
    Object.assign(this, { chat, preferences, signal })
    // Of this tab alone: another one has files of its own.
    this.unsent = new UnsentFiles(new SafeStorage(() => globalThis.sessionStorage), userId, {
      locks: navigator.locks, signal, changed: () => this.tray.render(),
    })
    this.uploads = new Uploads({ room: roomId => chat.room(roomId), userId, unsent: this.unsent })
    this.tray = new Tray({ unsent: this.unsent, say: on.say, changed: on.changed, signal })
    this.viewer = new Viewer({ pictures: () => this.#pictures(messages()), save: picture => this.#save(picture), closed: on.closed, signal })
    listen(signal, [
      [this.uploads, 'change', on.changed],
      [this.uploads, 'progress', ({ detail }) => on.progress(detail)],
      [this.uploads, 'refused', ({ detail }) => this.#refused(detail)],
      [window, 'beforeunload', event => {
        if (this.count === 0) return
        event.preventDefault()
        // For older browsers.
        event.returnValue = true
      }],
    ])
    byId('attach').hidden = false
    signal.addEventListener('abort', () => this.uploads.close())
  }

  /** How many files would be lost with the page. */
  get count() { return this.uploads.count + this.tray.count }

  /** Shown in whatever room is open by then, and read out. */
  #refused({ name, error }) {
    if (error.code === 'files_off') byId('attach').hidden = true
    toast(`${isolated(name)}: ${errorText(error)}`)
  }

  /** What the server knows of a file, `undefined` where it is gone. Asked again as long as `isWanted()`, after each `failed(error)`. */
  async info(roomId, fileId, { fresh = false, isWanted = () => false, failed = () => {} } = {}) {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        return await this.chat.room(roomId).file(fileId, { fresh })
      } catch (error) {
        if (!error.isTemporary || !isWanted()) throw error
        failed(error)
      }
      await this.#connected(Math.random() * pauseMs)
      if (!isWanted()) return undefined
    }
  }

  /** Waits for so long, or for a connection. */
  #connected(ms) {
    return new Promise(resolve => {
      const off = this.chat.on('state', ({ state }) => { if (state === 'live') end() })
      const end = () => { off(); clearTimeout(timer); resolve() }
      const timer = setTimeout(end, ms)
    })
  }

  preview(message) { return this.uploads.preview(message) }

  /** All pictures of the room's messages, for the viewer. */
  #pictures(messages) {
    const showsLinks = this.preferences.get('previews')
    return messages.filter(message => !message.isDeleted).flatMap(message => attachmentsOf(message)
      .filter(({ kind, fileId }) => kind === 'picture' && (fileId !== undefined || showsLinks))
      .map((picture, index) => this.#picture(message, picture, index)))
  }

  #picture(message, { fileId, href, name }, index) {
    const key = keyOf(message, index), { roomId, key: row } = message
    if (fileId === undefined) return { key, row, name: '', alt: summaryOf(message, 80), href, address: () => href }
    const address = async (fresh, options) => {
      const local = fresh ? undefined : this.preview(message)
      return local ?? (await this.info(roomId, fileId, { ...options, fresh }))?.url
    }
    return { key, row, name, alt: name, address }
  }

  /** Shows a picture of a message large. */
  enlarge(message, index = 0) { this.viewer.open(keyOf(message, index)) }

  /** Downloads a picture, which a link would only open. */
  async #save({ key, name, address }) {
    if (this.#saving.has(key)) return
    this.#saving.add(key)
    const link = document.createElement('a')
    try {
      const url = await address(true)
      if (url === undefined) return toast(t('fileGone'))
      const answer = await fetch(url, { credentials: 'omit', signal: this.signal })
      if (!answer.ok) throw new Error(`status ${answer.status}`)
      link.href = URL.createObjectURL(await answer.blob())
      link.download = name
      link.click()
    } catch {
      if (!this.signal.aborted) toast(errorText({ code: 'network' }))
    } finally {
      this.#saving.delete(key)
      // The download has its data by then.
      if (link.href) setTimeout(() => URL.revokeObjectURL(link.href), LONGEST_PAUSE_MS)
    }
  }
}

/** The same before and after a message is stored. Keys of messages are their senders' own. */
const keyOf = ({ senderId, clientMessageId, key }, index) => `${clientMessageId === undefined ? key : `${senderId} ${clientMessageId}`} ${index}`
