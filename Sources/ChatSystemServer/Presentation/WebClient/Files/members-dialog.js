// Who is in the open room, and what its owner and admins may change.

import { attempt, byId, element } from './dom.js'
import { PeoplePicker } from './people-picker.js'

export class MembersDialog {
  #room = null

  /** `gone()` is called when the user has left the open room. */
  constructor({ api, people, gone, signal }) {
    Object.assign(this, { api, people, gone })
    this.dialog = byId('members-dialog')
    this.error = byId('members-error')
    this.render = () => { if (this.#room && this.dialog.open) this.#render() }
    this.picker = new PeoplePicker({
      input: byId('add-member'), list: byId('add-member-found'), error: this.error, api, signal,
      pick: user => this.#change(null, () => api.addMember(this.#id, user.userId)),
    })
    const listeners = [
      [people, 'change', this.render],
      [byId('leave'), 'click', () => this.#leave()],
      [byId('archive'), 'click', () => this.#archive()],
      [byId('rename-form'), 'submit', event => {
        event.preventDefault()
        this.#change(byId('rename-button'), () => api.renameRoom(this.#id, byId('rename').value.trim()))
      }],
    ]
    for (const [target, type, listen] of listeners) target.addEventListener(type, listen, { signal })
  }

  open(room) {
    this.#room = room
    this.error.textContent = ''
    this.picker.clear()
    byId('rename').value = room.room.name
    room.addEventListener('change', this.render)
    this.dialog.addEventListener('close', () => room.removeEventListener('change', this.render), { once: true })
    this.dialog.showModal()
    this.#render()
    room.loadMembers()
  }

  get #id() { return this.#room.room.roomId }

  #render() {
    const { members, role, userId, isArchived, room: { type } } = this.#room
    const mayChange = this.#room.isManaged && !isArchived && type !== 'direct'
    byId('add-member-field').hidden = !mayChange
    byId('rename-form').hidden = !mayChange
    byId('archive').hidden = isArchived || (role !== 'owner' && type !== 'direct')
    byId('leave').hidden = type === 'direct'
    byId('member-list').replaceChildren(...members.map(member => {
      const name = this.people.name(member.userId)
      const mayRemove = mayChange && member.userId !== userId && (role === 'owner' || member.role === 'member')
      const remove = event =>
        this.#change(event.target, () => this.api.removeMember(this.#id, member.userId))
      return element(
        'li', {},
        element(
          'span', { className: 'who' }, member.userId === userId ? `${name} (you)` : name, ' ',
          member.role !== 'member' && element('small', {}, member.role)),
        mayRemove && element('button', { type: 'button', onclick: remove, aria: { label: `Remove ${name}` } }, 'Remove'))
    }))
  }

  async #change(button, act) {
    if (await attempt(this.error, button, act)) this.#room.loadMembers()
  }

  #leave() {
    if (!window.confirm('Leave this room?')) return
    attempt(this.error, byId('leave'), async () => {
      await this.api.leave(this.#id)
      this.dialog.close()
      this.gone()
    })
  }

  #archive() {
    if (!window.confirm('Archive this room? Nobody can write in it any more.')) return
    this.#change(byId('archive'), () => this.api.archiveRoom(this.#id))
  }
}
