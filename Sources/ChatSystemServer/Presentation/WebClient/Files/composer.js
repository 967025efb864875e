// Where messages are written: new ones, replies and edits.

import { attempt, byId } from './dom.js'
import { editableText, summaryOf } from './message-text.js'

export class Composer {
  #room = null
  /** What was begun in each room and not sent. */
  #drafts = new Map()
  /** The message that is edited or replied to. */
  #about = null

  constructor({ onSend, signal }) {
    this.text = byId('text')
    this.error = byId('composer-error')
    this.onSend = onSend
    const listeners = [
      [byId('composer'), 'submit', event => { event.preventDefault(); this.#submit() }],
      [this.text, 'input', () => this.text.value.trim() === '' ? this.#room?.stopTyping() : this.#room?.write()],
      [this.text, 'blur', () => this.#room?.stopTyping()],
      [this.text, 'keydown', event => this.#key(event)],
      [byId('composing-end'), 'click', () => this.#end()],
    ]
    for (const [target, type, listen] of listeners) target.addEventListener(type, listen, { signal })
  }

  /** Goes over to another room, or to none. */
  show(room) {
    this.#end()
    if (this.#room) this.#drafts.set(this.#room.room.roomId, this.text.value)
    this.#room = room
    this.text.value = room ? this.#drafts.get(room.room.roomId) ?? '' : ''
    this.error.textContent = ''
  }

  reply(message) { this.#begin('reply', message, `Reply to: ${summaryOf(message)}`) }

  edit(message) {
    this.#begin('edit', message, 'Editing a message')
    this.text.value = editableText(message) ?? ''
  }

  focus() { this.text.focus() }

  #begin(kind, message, label) {
    this.#end()
    this.#about = { kind, message, draft: this.text.value }
    byId('composing').hidden = false
    byId('composing-what').textContent = label
    this.focus()
  }

  #end() {
    // An edit has taken the draft's place for a while.
    if (this.#about?.kind === 'edit') this.text.value = this.#about.draft
    this.#about = null
    byId('composing').hidden = true
  }

  #key(event) {
    if (event.key === 'Escape' && this.#about) {
      event.preventDefault()
      this.#end()
    }
    // While an input method composes, Enter chooses a word.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault()
      this.#submit()
    }
  }

  async #submit() {
    const text = this.text.value.trim(), about = this.#about, room = this.#room
    if (text === '' || !room) return
    if (about?.kind === 'edit') {
      // The text stays until the server has taken it.
      if (await attempt(this.error, byId('send'), () => room.edit(about.message, text)) && this.#about === about) this.#end()
      return
    }
    this.error.textContent = ''
    this.#end()
    this.text.value = ''
    room.post(text, about?.message.messageId)
    this.onSend()
  }
}
