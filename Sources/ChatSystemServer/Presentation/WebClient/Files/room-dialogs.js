// A new room; and the open one: its members, its name, its end.

import { toast } from './attention.js'
import { attempt, byId, element, isolate, listen } from './dom.js'
import { avatar } from './message-view.js'
import { isolated } from './names.js'
import { nameOf } from './people.js'
import { PeoplePicker } from './people-picker.js'
import { routeTo } from './route.js'
import { roomName } from './sidebar.js'
import { errorText, t } from './strings.js'

export class NewRoomDialog {
  #chosen = new Map()

  constructor({ chat, userId, made, signal }) {
    Object.assign(this, { chat, made })
    this.dialog = byId('new-room-dialog')
    this.picker = new PeoplePicker({
      field: byId('new-room-people'), list: byId('new-room-found'), find: query => chat.findUsers(query), signal,
      isLeftOut: id => id === userId || this.#chosen.has(id),
      choose: user => { this.#chosen.set(user.userId, user); this.#showChosen() },
    })
    listen(signal, [
      [byId('new-room-form'), 'submit', event => { event.preventDefault(); this.#make() }],
      [this.dialog.querySelector('.close'), 'click', () => this.dialog.close()],
    ])
  }

  open() {
    this.#chosen.clear()
    this.#showChosen()
    this.picker.clear()
    byId('new-room-name').value = ''
    byId('new-room-error').textContent = ''
    this.dialog.showModal()
    byId('new-room-name').focus()
  }

  #showChosen() {
    byId('new-room-chosen').replaceChildren(...[...this.#chosen.values()].map(user => element('li', {}, element('button', {
      type: 'button', aria: { label: t('removePerson', isolated(nameOf(user))) },
      onclick: () => { this.#chosen.delete(user.userId); this.#showChosen() },
    }, isolate(nameOf(user)), ' ×'))))
  }

  async #make() {
    const room = { name: byId('new-room-name').value.trim(), type: byId('new-room-type').value, memberIds: [...this.#chosen.keys()] }
    if (room.memberIds.length === 0) delete room.memberIds
    await attempt(byId('new-room-error'), byId('new-room-make'), async () => {
      const made = await this.chat.createRoom(room)
      this.dialog.close()
      this.made(made)
    }, errorText)
  }
}

const RANK = { owner: 0, admin: 1, member: 2 }

export class MembersDialog {
  #room = null
  #members = []
  #cursor

  /** `left(roomId)`: the user has left the room. */
  constructor({ chat, api, people, userId, left, signal }) {
    Object.assign(this, { chat, api, people, userId, left })
    this.dialog = byId('members-dialog')
    this.error = byId('members-error')
    this.picker = new PeoplePicker({
      field: byId('add-member'), list: byId('add-member-found'), find: query => chat.findUsers(query), signal,
      isLeftOut: id => this.#members.some(member => member.userId === id),
      choose: user => { people.know(user); this.#do(null, () => api.addMember(this.#room.id, user.userId)) },
    })
    listen(signal, [
      [byId('rename-form'), 'submit', event => {
        event.preventDefault()
        this.#do(byId('rename-button'), () => api.renameRoom(this.#room.id, byId('rename').value.trim()))
      }],
      [byId('copy-invitation'), 'click', () => this.#copyInvitation()],
      [byId('more-members'), 'click', () => this.#load()],
      [byId('archive'), 'click', () => this.#end('confirmArchive', () => api.archiveRoom(this.#room.id))],
      [byId('leave'), 'click', () => this.#end('confirmLeave', async () => {
        await this.#room.leave()
        this.left(this.#room.id)
      })],
      [this.dialog.querySelector('.close'), 'click', () => this.dialog.close()],
      [people, 'change', () => { if (this.dialog.open) this.#show() }],
    ])
  }

  /** Members are asked for when somebody wants to see them, and not before. */
  async open(room) {
    this.#room = room
    this.#members = []
    this.#cursor = undefined
    this.error.textContent = ''
    this.picker.clear()
    byId('rename').value = room.info?.name ?? ''
    this.#show()
    this.dialog.showModal()
    await this.#load()
  }

  async #load() {
    const room = this.#room
    await attempt(this.error, byId('more-members'), async () => {
      const { items, nextCursor } = await room.members(this.#cursor)
      if (room !== this.#room) return
      const known = new Set(this.#members.map(member => member.userId))
      this.#members = [...this.#members, ...items.filter(member => !known.has(member.userId))]
      this.#cursor = nextCursor
    }, errorText)
    this.#show()
  }

  #show() {
    const { info } = this.#room
    const own = this.#members.find(member => member.userId === this.userId)
    const role = info?.ownerId === this.userId ? 'owner' : own?.role ?? 'member'
    const isManaged = role !== 'member', isDirect = info?.type === 'direct', isArchived = info?.archivedAt !== undefined
    byId('members-title').textContent = roomName(info)
    byId('copy-invitation').hidden = info?.type !== 'public' || isArchived
    byId('rename-form').hidden = byId('add-member-field').hidden = !isManaged || isDirect || isArchived
    byId('archive').hidden = (role !== 'owner' && !isDirect) || isArchived
    byId('leave').hidden = isDirect
    byId('more-members').hidden = this.#cursor === undefined
    const sorted = [...this.#members].sort((one, other) => RANK[one.role] - RANK[other.role])
    byId('member-list').replaceChildren(...sorted.map(member => this.#row(member, role, isDirect || isArchived)))
  }

  #row(member, ownRole, isFixed) {
    const name = this.people.name(member.userId), roomId = this.#room.id
    const canChange = !isFixed && member.userId !== this.userId && RANK[ownRole] < RANK[member.role]
    const button = (words, label, act) => element('button', {
      type: 'button', aria: { label }, onclick: event => this.#do(event.target, act),
    }, words)
    const next = member.role === 'admin' ? 'member' : 'admin', words = t(next === 'admin' ? 'makeAdmin' : 'makeMember')
    return element(
      'li', {}, avatar(name, member.userId), element('span', { className: 'who' }, isolate(name)),
      member.role !== 'member' && element('small', { className: 'faint' }, t(member.role)),
      canChange && ownRole === 'owner' && button(words, `${words}: ${isolated(name)}`, () => this.api.setRole(roomId, member.userId, next)),
      canChange && button(t('remove'), t('removePerson', isolated(name)), async () => {
        if (window.confirm(t('confirmRemove', isolated(name)))) await this.api.removeMember(roomId, member.userId)
      }))
  }

  /** Does something, and looks at the members again. */
  async #do(button, act) {
    if (!await attempt(this.error, button, act, errorText)) return
    this.#members = []
    this.#cursor = undefined
    await this.#load()
  }

  async #end(question, act) {
    if (!window.confirm(t(question, isolated(roomName(this.#room.info))))) return
    if (await attempt(this.error, null, act, errorText)) this.dialog.close()
  }

  async #copyInvitation() {
    await attempt(this.error, null, async () => {
      await navigator.clipboard.writeText(new URL(routeTo(this.#room.id), location.href).href)
      toast(t('copied'))
    }, errorText)
  }
}
