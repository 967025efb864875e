// Making a room.

import { attempt, byId, element } from './dom.js'
import { PeoplePicker } from './people-picker.js'

export class NewRoomDialog {
  #chosen = new Map()

  /** `made(room)` is called with the new room, or the direct one that there was. */
  constructor({ api, userId, made, signal }) {
    Object.assign(this, { api, userId, made })
    this.dialog = byId('new-room-dialog')
    this.type = byId('new-room-type')
    this.name = byId('new-room-name')
    this.error = byId('new-room-error')
    this.picker = new PeoplePicker({
      input: byId('new-room-people'), list: byId('new-room-found'), error: this.error, api, signal,
      pick: user => this.#choose(user),
    })
    byId('new-room-form').addEventListener('submit', event => { event.preventDefault(); this.#make() }, { signal })
    this.type.addEventListener('change', () => this.#showKind(), { signal })
  }

  open() {
    this.#chosen.clear()
    this.picker.clear()
    this.name.value = ''
    this.error.textContent = ''
    this.#showChosen()
    this.#showKind()
    this.dialog.showModal()
  }

  get #isDirect() { return this.type.value === 'direct' }

  #showKind() { byId('new-room-name-field').hidden = this.#isDirect }

  #choose(user) {
    if (user.userId === this.userId) return
    // A direct room has one other person, so the last choice counts.
    if (this.#isDirect) this.#chosen.clear()
    this.#chosen.set(user.userId, user)
    this.#showChosen()
  }

  #showChosen() {
    byId('new-room-chosen').replaceChildren(...[...this.#chosen.values()].map(user => {
      const drop = () => { this.#chosen.delete(user.userId); this.#showChosen() }
      return element(
        'li', {},
        element('button', { type: 'button', onclick: drop, aria: { label: `Remove ${user.username}` } }, `${user.username} ✕`))
    }))
  }

  async #make() {
    const name = this.name.value.trim(), memberIds = [...this.#chosen.keys()]
    if (!this.#isDirect && name === '') {
      this.error.textContent = 'The room needs a name'
      return this.name.focus()
    }
    if (this.#isDirect && memberIds.length !== 1) {
      this.error.textContent = 'Choose one person'
      return
    }
    const room = this.#isDirect ? { type: 'direct', memberIds } : { name, type: this.type.value, memberIds }
    await attempt(this.error, byId('new-room-make'), async () => {
      const made = await this.api.makeRoom(room)
      this.dialog.close()
      this.made(made)
    })
  }
}
