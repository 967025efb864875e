// Everything that belongs to one signed-in user, put together. The open room is the one that the address names after
// `#`, so that a reload, a bookmark and the way back work as people expect.

import { Api } from './api.js'
import { byId } from './dom.js'
import { FindDialog } from './find-dialog.js'
import { MembersDialog } from './members-dialog.js'
import { NewRoomDialog } from './new-room-dialog.js'
import { Outbox } from './outbox.js'
import { People } from './people.js'
import { RoomList } from './room-list.js'
import { RoomListView } from './room-list-view.js'
import { RoomView } from './room-view.js'
import { Room } from './room.js'

export class Chat {
  #room = null
  #stop = new AbortController()
  /** How often a room was opened: a slow answer for an earlier one is of no use. */
  #opened = 0

  constructor(servers, session) {
    this.servers = servers
    this.session = session
    const { signal } = this.#stop, { userId } = session
    const api = this.api = new Api(servers, session)
    const people = this.people = new People(api)
    this.outbox = new Outbox(api, userId)
    this.list = new RoomList(api, people, userId)
    const open = roomId => { location.hash = encodeURIComponent(roomId) }
    const opened = room => { this.list.refresh(); open(room.roomId) }
    this.listView = new RoomListView({ list: this.list, people, open, signal })
    this.roomView = new RoomView({ people, outbox: this.outbox, titleOf: room => this.list.name(room), signal })
    this.newRoom = new NewRoomDialog({ api, userId, made: opened, signal })
    this.find = new FindDialog({ api, joined: opened, signal })
    this.members = new MembersDialog({ api, people, gone: () => this.#leave(), signal })
    const listeners = [
      [window, 'hashchange', () => this.#openNamed()],
      [byId('back'), 'click', () => this.#leave()],
      [byId('new-room'), 'click', () => this.newRoom.open()],
      [byId('find-room'), 'click', () => this.find.open()],
      [byId('show-members'), 'click', () => this.members.open(this.#room)],
      [byId('sign-out'), 'click', () => { this.outbox.forget(); session.logOut() }],
      [this.list, 'change', () => this.roomView.render()],
      [people, 'change', () => { byId('me').textContent = people.name(userId) }],
    ]
    for (const [target, type, listen] of listeners) target.addEventListener(type, listen, { signal })
  }

  open() {
    byId('chat').hidden = false
    byId('me').textContent = this.people.name(this.session.userId)
    this.list.refresh()
    this.#openNamed()
  }

  close() {
    this.#stop.abort()
    this.#show(null)
    this.outbox.close()
    this.list.close()
    for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close()
    byId('room-list').replaceChildren()
    byId('chat').hidden = true
    document.title = 'Chat'
  }

  async #openNamed() {
    const roomId = named()
    const opened = (this.#opened += 1)
    if (roomId === this.#room?.room.roomId) return
    this.#show(null)
    if (roomId === '') return
    try {
      const room = this.list.rooms.find(room => room.roomId === roomId) ?? await this.api.room(roomId)
      if (opened !== this.#opened || this.#stop.signal.aborted) return
      this.#show(new Room({
        room, api: this.api, session: this.session, outbox: this.outbox, sockets: this.servers.sockets,
      }))
    } catch (error) {
      if (opened === this.#opened && error.status !== 401) this.#tell(error.message)
    }
  }

  #show(room) {
    this.#room?.close()
    this.#room = room
    this.#tell('')
    this.roomView.show(room)
    this.listView.mark(room?.room.roomId ?? null)
    if (!room) return
    room.addEventListener('left', ({ detail }) => {
      this.#leave()
      this.#tell(`You are not in “${this.list.name(room.room)}” any more: ${detail}`)
    })
    room.addEventListener('read', () => this.list.markRead(room.room.roomId))
    room.addEventListener('happened', ({ detail }) => this.list.note(detail))
    room.open()
  }

  #leave() {
    // Without a new place in the history, and without the event that it would bring.
    history.replaceState(null, '', location.pathname)
    this.#opened += 1
    this.#show(null)
    this.list.refresh()
  }

  #tell(text) {
    byId('trouble').textContent = text
    byId('trouble').hidden = text === ''
  }
}

function named() {
  try {
    return decodeURIComponent(location.hash.slice(1))
  } catch {
    return ''
  }
}
