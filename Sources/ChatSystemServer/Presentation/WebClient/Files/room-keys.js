// The keyboard in the list of messages: one stop of the tab key; arrows go from message to message and into its buttons.

import { listen } from './dom.js'

const STEPS = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }
const LETTERS = { r: 'reply', e: 'edit', c: 'copy', l: 'copyLink', Delete: 'delete' }

export class RoomKeys {
  constructor({ list, composer, act, signal }) {
    Object.assign(this, { list, composer, act })
    listen(signal, [
      [list.scroller, 'keydown', event => this.#key(event)],
      [list.list, 'focusin', event => {
        const row = event.target.closest('#log > li')
        if (row?.classList.contains('message')) list.activate(row.dataset.key)
      }],
    ])
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches('video, audio')) return
    const node = event.target.closest('#log > li')
    const inside = node ? [...node.querySelectorAll('button, a[href], video, audio')].filter(each => each.checkVisibility?.() ?? true) : []
    const at = inside.indexOf(event.target)
    if (event.key in STEPS) this.list.focusRow(STEPS[event.key])
    else if (event.key === 'ArrowRight' || (event.key === 'Enter' && at < 0)) inside[Math.min(at + 1, inside.length - 1)]?.focus()
    else if (event.key === 'ArrowLeft' && at >= 0) (inside[at - 1] ?? node).focus()
    else if (event.key === 'Escape') at >= 0 ? node.focus() : this.composer.focus()
    else if (event.key in LETTERS && at < 0) {
      const row = this.list.rows.find(each => each.key === node?.dataset.key)
      if (!row?.extra?.tools?.includes(LETTERS[event.key])) return
      this.act(LETTERS[event.key], row)
    } else return
    event.preventDefault()
  }
}
