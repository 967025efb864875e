// A field where people are found by the beginning of a name.

import { element, isolate, listen } from './dom.js'
import { avatar } from './message-view.js'
import { isolated } from './names.js'
import { nameOf } from './people.js'
import { errorText, t } from './strings.js'

const PAUSE_MS = 200

/** Calls `choose(user)`; `isLeftOut(userId)`: those who are in already. */
export class PeoplePicker {
  #asked = 0
  #timer

  constructor({ field, list, find, choose, isLeftOut, signal }) {
    Object.assign(this, { field, list, find, choose, isLeftOut })
    listen(signal, [
      [field, 'input', () => {
        clearTimeout(this.#timer)
        this.#timer = setTimeout(() => this.#search(), PAUSE_MS)
      }],
      // Enter takes the first one and does not send the form.
      [field, 'keydown', event => {
        if (event.key !== 'Enter' || event.isComposing || event.keyCode === 229 || field.value.trim() === '') return
        event.preventDefault()
        this.list.querySelector('button')?.click()
      }],
    ])
  }

  clear() {
    clearTimeout(this.#timer)
    this.#asked += 1
    this.field.value = ''
    this.list.replaceChildren()
  }

  async #search() {
    const query = this.field.value.trim(), asked = this.#asked += 1
    if (query === '') return this.list.replaceChildren()
    try {
      const { items } = await this.find(query)
      if (asked === this.#asked) this.#show(items.filter(user => !this.isLeftOut(user.userId)))
    } catch (error) {
      if (asked === this.#asked) this.list.replaceChildren(element('li', { className: 'error' }, errorText(error)))
    }
  }

  #show(users) {
    this.list.replaceChildren(...users.map(user => {
      const name = nameOf(user)
      return element(
        'li', {}, avatar(name, user.userId),
        element('span', { className: 'who' }, isolate(name), element('small', { className: 'faint' }, ` @${user.username}`)),
        element('button', {
          type: 'button', aria: { label: t('addPerson', isolated(name)) }, onclick: () => { this.clear(); this.choose(user); this.field.focus() },
        }, '+'))
    }))
    if (users.length === 0) this.list.append(element('li', { className: 'faint' }, t('noPeople')))
  }
}
