// Everything that belongs to one signed-in user, put together. The open room is the one that the address names, so that
// a reload, a bookmark, a link and the way back work as people expect.

import { Chat } from '/client/v1/chat.js'
import { Attention, toast } from './attention.js'
import { ConnectionView } from './connection-view.js'
import { editableText } from './content.js'
import { byId, listen } from './dom.js'
import { EmojiDialog } from './emoji-dialog.js'
import { avatar } from './message-view.js'
import { People } from './people.js'
import { Drafts } from './preferences.js'
import { Api } from './rest.js'
import { MembersDialog, NewRoomDialog } from './room-dialogs.js'
import { GuestRoom } from './room-source.js'
import { RoomView } from './room-view.js'
import { parseRoute, routeTo } from './route.js'
import { SettingsDialog } from './settings-dialog.js'
import { roomName, Sidebar } from './sidebar.js'
import { errorText, t } from './strings.js'

/** How many messages are held of the open room, for scrolling; other rooms hold far fewer. */
const KEEP = 10_000
const LIST_WAIT_MS = 1_500

export class ChatPage {
  #stop = new AbortController()
  /** Counts followed addresses, so that a late answer for an earlier one is dropped. */
  #followed = 0

  /** `servers`: `{system, messages, sockets, authMode}`. */
  constructor({ servers, session, storage, preferences }) {
    Object.assign(this, { session })
    const { signal } = this.#stop, { userId } = session
    const chat = this.chat = new Chat({
      url: { system: servers.system, messages: servers.messages, sockets: servers.sockets }, keep: KEEP, userId,
      ...servers.authMode === 'trusted' ? {} : { getToken: reason => session.tokenFor(reason) },
    })
    const api = this.api = new Api({ system: `${servers.system}/api/v1`, messages: `${servers.messages}/api/v1` }, session)
    const people = this.people = new People(api, storage)
    const drafts = this.drafts = new Drafts(storage, userId)
    const open = roomId => { location.hash = routeTo(roomId) }
    const isSeen = roomId => this.view?.isSeen(roomId) ?? false
    this.sidebar = new Sidebar({
      chat, people, drafts, userId, isSeen, signal,
      on: { open, join: roomId => this.#try(() => this.#join(roomId)), direct: user => this.#try(() => this.#direct(user)) },
    })
    this.attention = new Attention({ chat, people, preferences, userId, isSeen, open, signal })
    this.view = new RoomView({
      chat, api, people, drafts, preferences, userId, signal,
      on: {
        copy: (...what) => this.#try(() => this.#copy(...what)), changed: room => this.attention.setTitle(roomName(room.info ?? { roomId: room.id })),
        seenChanged: () => { this.sidebar?.render(); this.attention?.render() },
      },
    })
    this.connection = new ConnectionView({ chat, signal })
    this.newRoom = new NewRoomDialog({ chat, userId, made: room => open(room.roomId), signal })
    this.members = new MembersDialog({ chat, api, people, userId, left: () => { location.hash = '' }, signal })
    this.emoji = new EmojiDialog({ pick: sign => this.view.composer.insert(sign), signal })
    this.settings = new SettingsDialog({
      api, preferences, signal, signOut: () => this.#signOut(), renamed: user => people.know(user),
    })
    listen(signal, [
      [window, 'hashchange', () => this.#follow()],
      [byId('back'), 'click', () => { location.hash = '' }],
      [byId('new-room'), 'click', () => this.newRoom.open()],
      [byId('show-members'), 'click', () => this.members.open(chat.room(this.view.roomId))],
      [byId('join-room'), 'click', () => this.#try(() => this.#join(this.view.roomId))],
      [people, 'change', () => this.#showMe()],
      [preferences, 'change', () => this.translated()],
    ])
    chat.on('error', error => console.warn(`chat: ${error.code}`))
    // The named room may appear in the list later: through an invitation, or joined on another device.
    chat.rooms.subscribe(() => { if (this.#waits()) this.#follow() })
    chat.on('state', () => { if (this.#waits()) this.#follow() })
  }

  open() {
    byId('chat').hidden = false
    byId('splash').hidden = true
    this.#showMe()
    this.chat.start()
    this.#follow()
  }

  /** The language has changed. */
  translated() {
    this.view.retranslate()
    this.sidebar.render()
    this.connection.render()
  }

  async close() {
    this.#stop.abort()
    for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close()
    byId('chat').hidden = true
    await this.chat.close()
  }

  #showMe() {
    const { userId } = this.session, name = this.people.name(userId)
    byId('me').textContent = name
    byId('my-avatar').replaceChildren(avatar(name, userId))
  }

  // Which room is open

  /** Whether the address names an own room that was not in the list when the address was followed. */
  #waits() {
    const route = parseRoute(location.hash)
    return route !== null && (this.#shown !== route.roomId || this.#isGuest) && this.#isOwn(route.roomId)
  }

  #shown = null
  #isGuest = false

  #isOwn(roomId) { return this.chat.rooms.list.some(room => room.roomId === roomId) }

  async #follow() {
    const route = parseRoute(location.hash), followed = this.#followed += 1
    byId('chat').classList.toggle('in-room', route !== null)
    this.sidebar.setCurrent(route?.roomId ?? null)
    this.#say('')
    if (route === null) return this.#show(null)
    const { roomId, seq } = route
    if (this.#isOwn(roomId)) return this.#show(this.chat.room(roomId), seq)
    await this.#listKnown()
    if (followed !== this.#followed) return
    if (this.#isOwn(roomId)) return this.#show(this.chat.room(roomId), seq)
    // Not among the known own rooms: perhaps a public room, from a link.
    this.#shown = null
    try {
      const info = await this.api.room(roomId)
      if (followed !== this.#followed) return
      if (this.#isOwn(roomId)) this.#show(this.chat.room(roomId), seq)
      else this.#show(new GuestRoom(this.api, info), seq)
    } catch (error) {
      if (followed !== this.#followed) return
      this.#show(null)
      this.#say(error.status === 404 || error.status === 403 ? t('noSuchRoom') : errorText(error))
    }
  }

  /** Waits for the list of rooms from the store or the server, but no longer than a start may take. */
  async #listKnown() {
    const until = Date.now() + LIST_WAIT_MS
    while (this.chat.rooms.list.length === 0 && this.chat.state !== 'live' && Date.now() < until) {
      await new Promise(resolve => setTimeout(resolve, 30))
    }
  }

  #show(room, seq) {
    this.#shown = room?.id ?? null
    this.#isGuest = room?.isGuest === true
    this.view.show(room, seq)
    if (room === null) this.attention.setTitle('')
    this.sidebar.render()
  }

  #say(words) {
    byId('trouble').textContent = words
    byId('trouble').hidden = words === ''
  }

  // What a user does

  async #try(act) {
    try {
      await act()
    } catch (error) {
      toast(errorText(error))
    }
  }

  async #join(roomId) {
    await this.chat.joinRoom(roomId)
    if (location.hash === routeTo(roomId)) await this.#follow()
    else location.hash = routeTo(roomId)
  }

  async #direct(user) {
    this.people.know(user)
    const room = await this.chat.createRoom({ type: 'direct', name: user.username, memberIds: [user.userId] })
    location.hash = routeTo(room.roomId)
  }

  async #copy(what, message, roomId) {
    const link = new URL(routeTo(roomId, message.seq), location.href).href
    await navigator.clipboard.writeText(what === 'copy' ? editableText(message) : link)
    toast(t('copied'))
  }

  async #signOut() {
    const unsent = this.chat.outbox.filter(post => post.state !== 'stored').length + this.view.files.count
    if (unsent > 0 && !window.confirm(t('confirmUnsent', unsent))) return
    this.drafts.forget()
    this.view.files.unsent.forget()
    // A failure to delete the data must not prevent signing out.
    await this.chat.forget({ evenUnsent: true }).catch(() => {})
    await this.session.logOut()
  }
}
