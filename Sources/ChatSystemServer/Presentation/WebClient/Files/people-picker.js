// Finding users by the beginning of their names.

import { element } from './dom.js'

const PAUSE_MS = 250

/** `pick(user)` is called for each that is chosen. */
export class PeoplePicker {
  #timer = null
  #asked = 0

  constructor({ input, list, error, api, pick, signal }) {
    Object.assign(this, { input, list, error, api, pick })
    input.addEventListener('input', () => {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.#find(), PAUSE_MS)
    }, { signal })
    // Enter chooses the first one instead of sending the form around it.
    input.addEventListener('keydown', event => {
      if (event.key !== 'Enter' || input.value === '') return
      event.preventDefault()
      list.querySelector('button')?.click()
    }, { signal })
  }

  clear() {
    clearTimeout(this.#timer)
    this.#asked += 1
    this.input.value = ''
    this.list.replaceChildren()
  }

  async #find() {
    const prefix = this.input.value.trim()
    const asked = (this.#asked += 1)
    if (prefix === '') return this.list.replaceChildren()
    try {
      const { items } = await this.api.users(prefix)
      // Only the latest question's answer is of interest.
      if (asked !== this.#asked) return
      this.error.textContent = items.length === 0 ? 'Nobody has a name that begins so' : ''
      this.list.replaceChildren(...items.map(user => this.#choice(user)))
    } catch (error) {
      if (asked === this.#asked) this.error.textContent = error.message
    }
  }

  #choice(user) {
    const choose = () => {
      this.clear()
      this.pick(user)
      this.input.focus()
    }
    return element(
      'li', {}, element('span', { className: 'who' }, `${user.displayName || user.username} (${user.username})`),
      element('button', { type: 'button', onclick: choose, aria: { label: `Choose ${user.username}` } }, 'Choose'))
  }
}
