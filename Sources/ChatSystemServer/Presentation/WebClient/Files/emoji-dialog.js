// The picker of emoji.

import { byId, element, listen } from './dom.js'
import { emojiGroups, findEmoji } from './emoji.js'

const COLUMNS = 8
const MOST_FOUND = 48

export class EmojiDialog {
  #group = 0

  /** `pick(sign)`. */
  constructor({ pick, signal }) {
    this.pick = pick
    this.dialog = byId('emoji-dialog')
    this.grid = byId('emoji-grid')
    this.field = byId('emoji-search')
    listen(signal, [
      [byId('open-emoji'), 'click', () => this.open()],
      [this.field, 'input', () => this.#show()],
      [this.field, 'keydown', event => {
        if (event.key === 'ArrowDown') { event.preventDefault(); this.#focus(0) }
        if (event.key === 'Enter' && !event.isComposing) { event.preventDefault(); this.grid.querySelector('button')?.click() }
      }],
      [this.grid, 'keydown', event => this.#key(event)],
      // A click beside it closes it.
      [this.dialog, 'click', event => { if (event.target === this.dialog) this.dialog.close() }],
    ])
  }

  open() {
    this.field.value = ''
    byId('emoji-tabs').replaceChildren(...emojiGroups.map(({ sign, entries }, index) => element('button', {
      type: 'button', aria: { label: entries[0].names[0], pressed: String(index === this.#group) },
      onclick: () => { this.#group = index; this.field.value = ''; this.#show() },
    }, sign)))
    this.#show()
    this.dialog.showModal()
    this.field.focus()
  }

  #show() {
    const query = this.field.value.trim()
    const entries = query === '' ? emojiGroups[this.#group].entries : findEmoji(query, MOST_FOUND)
    for (const [index, tab] of [...byId('emoji-tabs').children].entries()) tab.ariaPressed = String(query === '' && index === this.#group)
    this.grid.replaceChildren(...entries.map(({ sign, names }, index) => element('button', {
      type: 'button', tabIndex: index === 0 ? 0 : -1, title: `:${names[0]}:`, aria: { label: names.join(', ').replaceAll('_', ' ') },
      onclick: () => { this.dialog.close(); this.pick(sign) },
    }, sign)))
  }

  #key(event) {
    const at = [...this.grid.children].indexOf(document.activeElement)
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key]
    if (!step || at < 0) return
    event.preventDefault()
    if (at + step < 0) this.field.focus()
    else this.#focus(at + step)
  }

  #focus(index) {
    const next = this.grid.children[Math.min(index, this.grid.childElementCount - 1)]
    if (!next) return
    for (const node of this.grid.children) node.tabIndex = node === next ? 0 : -1
    next.focus()
  }
}
