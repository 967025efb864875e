// Where messages are written: new ones, replies and edits, with a draft kept for each room.

import { ComposerKeys, TypingSignal, closedEmoji, emojiQuery, lengthState, sendableText } from './composing.js'
import { editableText, summaryOf } from './content.js'
import { byId, element, listen } from './dom.js'
import { emojiNamed, findEmoji } from './emoji.js'
import { isolated } from './names.js'
import { t } from './strings.js'

const BLUR_MS = 150

/** Calls `on.send(text, replyTo, files)`, `on.edit(message, text)` (async), `on.typing(isTyping)`, `on.editLast()`. */
export class Composer {
  #roomId = null
  /** The message that is edited or replied to: `{kind, message, draft}`. */
  #about = null
  #matches = []
  #selected = 0
  #query = null
  #typing = new TypingSignal()

  /** `tray`: the files to be sent with the text. */
  constructor({ drafts, tray, on, signal }) {
    Object.assign(this, { drafts, tray, on })
    this.text = byId('text')
    this.error = byId('composer-error')
    this.list = byId('emoji-matches')
    const hasKeyboard = matchMedia('(any-hover: hover), (any-pointer: fine)').matches
    this.keys = new ComposerKeys({ hasEnterKeyToSend: hasKeyboard })
    this.text.enterKeyHint = hasKeyboard ? 'send' : 'enter'
    listen(signal, [
      [byId('composer'), 'submit', event => { event.preventDefault(); this.#submit() }],
      [this.text, 'input', event => this.#input(event)],
      [this.text, 'beforeinput', event => { if (this.keys.refuses(event)) event.preventDefault() }],
      [this.text, 'keydown', event => this.#keyDown(event)],
      [this.text, 'keyup', () => this.keys.keyUp()],
      [this.text, 'blur', () => { this.#typed(this.#typing.end()); setTimeout(() => this.#showMatches(null), BLUR_MS) }],
      [byId('composing-end'), 'click', () => { this.#end(); this.focus() }],
      // Keeps the draft if the page is closed while text is entered.
      [window, 'pagehide', () => this.#keepDraft()],
    ])
  }

  /** Switches to another room, or to none. */
  show(roomId) {
    this.#end()
    this.#keepDraft()
    this.#typed(this.#typing.end())
    this.#roomId = roomId
    this.tray.show(roomId)
    this.error.textContent = ''
    this.#setText(roomId === null ? '' : this.drafts.get(roomId))
    this.#showMatches(null)
  }

  reply(message, name) { this.#begin('reply', message, `${t('replyTo', isolated(name))}: ${summaryOf(message, 140, { isNamed: true })}`) }

  edit(message) {
    this.#begin('edit', message, t('editing'))
    this.#setText(editableText(message) ?? '')
  }

  /** A message was deleted: ends an edit of it or a reply to it. */
  drop(messageId) { if (this.#about?.message.messageId === messageId && messageId !== undefined) this.#end() }

  focus() { this.text.focus() }

  fail(words) { this.error.textContent = words }

  /** Puts text where the cursor is. */
  insert(text) {
    const { selectionStart, selectionEnd, value } = this.text
    this.#setText(value.slice(0, selectionStart) + text + value.slice(selectionEnd), selectionStart + text.length)
    this.#changed()
    this.focus()
  }

  /** Puts back text that was not sent. */
  give(text) {
    if (text === '') return
    const before = draft => draft.trim() === '' ? text : `${text}\n${draft}`
    // During an edit the draft is not in the field.
    if (this.#about?.kind === 'edit') {
      this.#about.draft = before(this.#about.draft)
      return this.#keepDraft()
    }
    this.#setText(before(this.text.value))
    this.#changed()
  }

  #begin(kind, message, label) {
    this.#end()
    this.#about = { kind, message, draft: this.text.value }
    byId('composing').hidden = false
    byId('composing-what').textContent = label
    this.focus()
  }

  #end() {
    const about = this.#about
    this.#about = null
    byId('composing').hidden = true
    // The draft was replaced during the edit.
    if (about?.kind === 'edit') this.#setText(about.draft)
  }

  #setText(text, cursor = text.length) {
    this.text.value = text
    this.text.setSelectionRange(cursor, cursor)
    this.#fit()
    this.#showLength()
  }

  /** The field grows with its text; newer browsers do that themselves. */
  #fit() {
    if (CSS.supports('field-sizing: content')) return
    this.text.style.height = 'auto'
    this.text.style.height = `${this.text.scrollHeight + 2}px`
  }

  #input(event) {
    const { value, selectionStart } = this.text
    const replaced = event.isComposing ? null : closedEmoji(value, selectionStart, emojiNamed)
    if (replaced) this.#setText(replaced.text, replaced.cursor)
    this.#changed()
    this.#showMatches(event.isComposing ? null : emojiQuery(this.text.value, this.text.selectionStart))
  }

  #changed() {
    this.#fit()
    this.#showLength()
    if (this.#about?.kind !== 'edit') {
      this.#keepDraft()
      this.#typed(this.#typing.change(this.text.value.trim() === '', Date.now()))
    }
  }

  #typed(isTyping) { if (isTyping !== undefined && this.#roomId !== null) this.on.typing(isTyping) }

  #keepDraft() {
    if (this.#roomId === null) return
    this.drafts.set(this.#roomId, this.#about?.kind === 'edit' ? this.#about.draft : this.text.value)
  }

  #showLength() {
    const { left, isTooLong } = lengthState(this.text.value)
    const place = byId('composer-left')
    place.textContent = left === null ? '' : t('left_characters', left)
    place.classList.toggle('over', isTooLong)
    byId('send').disabled = isTooLong
  }

  #keyDown(event) {
    if (this.#query && this.#pickMatch(event)) return
    const state = { isEmpty: this.text.value === '', isAbout: this.#about !== null }
    const action = this.keys.keyDown(event, state)
    if (action === null) return
    if (action !== 'editLast' || this.on.editLast()) event.preventDefault()
    if (action === 'send') this.#submit()
    if (action === 'cancel') this.#end()
  }

  async #submit() {
    const text = sendableText(this.text.value), about = this.#about, roomId = this.#roomId
    const isEdit = about?.kind === 'edit', hasFiles = !isEdit && !this.tray.isEmpty
    if ((text === '' && !hasFiles) || roomId === null || lengthState(text).isTooLong || this.text.readOnly) return
    this.error.textContent = ''
    this.#typed(this.#typing.end())
    if (isEdit) {
      byId('send').disabled = this.text.readOnly = true
      try {
        // The text stays until the server has taken it.
        await this.on.edit(about.message, text)
        if (this.#about === about) this.#end()
      } catch (error) {
        this.fail(this.on.words(error))
      } finally {
        this.text.readOnly = false
      }
      this.#showLength()
      return
    }
    this.#end()
    this.#setText('')
    this.drafts.set(roomId, '')
    this.on.send(text, about?.message.messageId, hasFiles ? this.tray.take() : [])
  }

  // Emoji by name

  #showMatches(query) {
    this.#query = query
    this.#matches = query ? findEmoji(query.query) : []
    if (this.#matches.length === 0) this.#query = null
    this.#selected = 0
    this.list.hidden = this.#query === null
    this.list.replaceChildren(...this.#matches.map(({ sign, names }, index) => element('div', {
      id: `emoji-match-${index}`, role: 'option', aria: { selected: String(index === 0) },
      onmousedown: event => { event.preventDefault(); this.#take(index) },
    }, `${sign} :${names[0]}:`)))
    this.#announceMatch()
  }

  #announceMatch() {
    if (this.#query) this.text.setAttribute('aria-activedescendant', `emoji-match-${this.#selected}`)
    else this.text.removeAttribute('aria-activedescendant')
  }

  #pickMatch(event) {
    if (event.isComposing || event.keyCode === 229) return false
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step) {
      this.#selected = (this.#selected + step + this.#matches.length) % this.#matches.length
      for (const [index, node] of [...this.list.children].entries()) node.ariaSelected = String(index === this.#selected)
      this.#announceMatch()
    } else if (event.key === 'Enter' || event.key === 'Tab') this.#take(this.#selected)
    else if (event.key === 'Escape') this.#showMatches(null)
    else return false
    event.preventDefault()
    return true
  }

  #take(index) {
    const { value, selectionStart } = this.text
    const { sign } = this.#matches[index]
    const text = `${value.slice(0, this.#query.start)}${sign} ${value.slice(selectionStart)}`
    this.#setText(text, this.#query.start + sign.length + 1)
    this.#showMatches(null)
    this.#changed()
  }
}
