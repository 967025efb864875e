// The list of rooms, and the search over it: own rooms at once, public rooms and people from the server.

import { summaryOf } from './content.js'
import { byId, element, isolate, KeyedList, listen, oncePerFrame } from './dom.js'
import { avatar } from './message-view.js'
import { shownName } from './names.js'
import { nameOf } from './people.js'
import { routeTo } from './route.js'
import { errorText, shortTime, t } from './strings.js'

const SEARCH_PAUSE_MS = 200
const MOST_OWN = 8

/** What a room is called on the screen. */
export const roomName = room => shownName(room?.name, room?.roomId ?? '')

/**
 * The rooms whose name contains all words of a query: first names that begin with it, then names with a word that
 * begins so, then the others. Pure.
 */
export function matchingRooms(rooms, query, most = MOST_OWN) {
  const words = query.normalize('NFC').toLowerCase().split(/\s+/u).filter(Boolean)
  const rank = room => {
    const name = roomName(room).normalize('NFC').toLowerCase()
    if (!words.every(word => name.includes(word))) return -1
    return name.startsWith(words[0] ?? '') ? 2 : words.every(word => ` ${name}`.includes(` ${word}`)) ? 1 : 0
  }
  return rooms.map((room, index) => ({ room, index, rank: rank(room) })).filter(each => each.rank >= 0)
    .sort((one, other) => other.rank - one.rank || one.index - other.index).slice(0, most).map(each => each.room)
}

export class Sidebar {
  #current = null
  #options = []
  #selected = 0
  #asked = 0
  #timer

  /** `on`: `open(roomId)`, `join(roomId)`, `direct(user)`; `isSeen(roomId)`: the user is looking at its end. */
  constructor({ chat, people, drafts, userId, isSeen, on, signal }) {
    Object.assign(this, { chat, people, drafts, userId, isSeen, on })
    this.field = byId('search')
    this.results = byId('search-results')
    this.list = new KeyedList(byId('room-list'), row => this.#entry(row))
    this.render = oncePerFrame(() => { if (!signal.aborted) this.#render() })
    listen(signal, [
      [this.field, 'input', () => this.#search()],
      [this.field, 'keydown', event => this.#key(event)],
      [this.field, 'blur', () => setTimeout(() => { if (document.activeElement !== this.field) this.#close() }, SEARCH_PAUSE_MS)],
      [people, 'change', this.render],
      [window, 'keydown', event => {
        if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return
        event.preventDefault()
        byId('chat').classList.remove('in-room')
        this.field.focus()
        this.field.select()
      }],
    ])
    const off = chat.rooms.subscribe(this.render)
    signal.addEventListener('abort', () => { off(); clearTimeout(this.#timer); this.list.clear(); this.#close() })
    // At midnight the times of the list change.
    const timer = setInterval(this.render, 60_000)
    signal.addEventListener('abort', () => clearInterval(timer))
  }

  setCurrent(roomId) {
    this.#current = roomId
    this.render()
  }

  #render() {
    const rooms = this.chat.rooms.list
    this.list.show(rooms.map(room => this.#row(room)))
    byId('no-rooms').hidden = rooms.length > 0 || this.chat.state !== 'live'
  }

  #row(room) {
    const last = room.lastMessage, isCurrent = room.roomId === this.#current
    const draft = isCurrent ? '' : this.drafts.get(room.roomId)
    const sender = last && (last.senderId === this.userId ? t('you') : room.type === 'direct' ? '' : this.people.name(last.senderId))
    return {
      key: room.roomId, name: roomName(room), type: room.type, isCurrent, isArchived: room.archivedAt !== undefined,
      unread: this.isSeen(room.roomId) ? 0 : room.unreadCount ?? 0,
      draft: draft === '' ? '' : draft.slice(0, 140), sender: sender ?? '', last: last ? summaryOf(last) : '',
      at: last ? shortTime(Date.parse(last.sentAt) || Date.now()) : '',
    }
  }

  #entry({ key, name, isCurrent, isArchived, unread, draft, sender, last, at, type }) {
    const below = draft !== ''
      ? [element('span', { className: 'draft' }, `${t('draft')}: `), isolate(draft)]
      : isArchived ? [t('archived')] : sender ? [isolate(sender), ': ', isolate(last)] : [isolate(last)]
    const count = unread > 999 ? '999+' : String(unread)
    return element('li', {}, element(
      'a', { className: 'entry', href: routeTo(key), aria: isCurrent ? { current: 'page' } : {} },
      avatar(name, key, type === 'direct' ? '' : 'room'), element('span', { className: 'name', dir: 'auto' }, name),
      element('time', {}, at), element('span', { className: 'last' }, ...below),
      unread > 0 && element(
        'span', { className: 'badge' }, element('span', { attributes: { 'aria-hidden': 'true' } }, count),
        element('span', { className: 'unseen' }, t('unread', unread)))))
  }

  // Search

  #search() {
    clearTimeout(this.#timer)
    const query = this.field.value.trim()
    const asked = this.#asked += 1
    if (query === '') return this.#close()
    this.#show(query, [], [])
    this.#timer = setTimeout(async () => {
      try {
        const [rooms, users] = await Promise.all([this.chat.findRooms(query), this.chat.findUsers(query)])
        if (asked === this.#asked) this.#show(query, rooms.items, users.items)
      } catch (error) {
        if (asked === this.#asked) this.#say(errorText(error))
      }
    }, SEARCH_PAUSE_MS)
  }

  #show(query, publicRooms, users) {
    const own = this.chat.rooms.list, ids = new Set(own.map(room => room.roomId))
    const groups = [
      [t('yourRooms'), matchingRooms(own, query).map(room => ({
        name: roomName(room), id: room.roomId, isRoom: room.type !== 'direct', action: '', act: () => this.on.open(room.roomId),
      }))],
      [t('publicRooms'), publicRooms.filter(room => !ids.has(room.roomId)).map(room => ({
        name: roomName(room), id: room.roomId, isRoom: true, action: t('join'), label: t('joinRoom', roomName(room)),
        hint: t('members', room.memberCount), act: () => this.on.join(room.roomId),
      }))],
      [t('people'), users.filter(user => user.userId !== this.userId).map(user => ({
        name: nameOf(user), id: user.userId, isRoom: false, action: t('message'), label: t('messageTo', nameOf(user)),
        hint: `@${user.username}`, act: () => this.on.direct(user),
      }))],
    ]
    const key = this.#options[this.#selected]?.key
    this.#options = groups.flatMap(([title, items]) => items.map(item => ({ ...item, key: `${title}:${item.id}` })))
    this.#selected = Math.max(0, this.#options.findIndex(option => option.key === key))
    let index = 0
    this.results.replaceChildren(...groups.filter(([, items]) => items.length > 0).map(([title, items]) => element(
      'div', { role: 'group', aria: { label: title } }, element('span', { attributes: { 'aria-hidden': 'true' } }, title),
      ...items.map(item => this.#option(item, index++)))))
    this.results.hidden = this.#options.length === 0
    byId('room-list').hidden = true
    this.#say(this.#options.length === 0 ? t('noMatches') : '')
    this.field.setAttribute('aria-expanded', String(this.#options.length > 0))
    this.#mark()
  }

  #option({ name, id, isRoom, action, label, hint, act }, index) {
    return element(
      'div', {
        className: 'entry', id: `search-option-${index}`, role: 'option', aria: { label: label ?? name, selected: 'false' },
        onmousedown: event => event.preventDefault(), onclick: () => { this.#close(); act() },
      },
      avatar(name, id, isRoom ? 'room' : ''), element('span', { className: 'name', dir: 'auto' }, name),
      element('span', { className: 'action' }, action), element('span', { className: 'last' }, hint ?? ''))
  }

  #mark() {
    for (const [index, node] of [...this.results.querySelectorAll('[role=option]')].entries()) {
      node.ariaSelected = String(index === this.#selected)
      if (index === this.#selected) node.scrollIntoView({ block: 'nearest' })
    }
    if (this.#options.length > 0) this.field.setAttribute('aria-activedescendant', `search-option-${this.#selected}`)
    else this.field.removeAttribute('aria-activedescendant')
  }

  #key(event) {
    if (event.isComposing || event.keyCode === 229) return
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step && this.#options.length > 0) {
      this.#selected = (this.#selected + step + this.#options.length) % this.#options.length
      this.#mark()
    } else if (event.key === 'Enter') {
      const option = this.#options[this.#selected]
      if (option) { this.#close(); option.act() }
    } else if (event.key === 'Escape') this.#close()
    else return
    event.preventDefault()
  }

  #say(words) {
    byId('search-empty').textContent = words
    byId('search-empty').hidden = words === ''
  }

  #close() {
    clearTimeout(this.#timer)
    this.#asked += 1
    this.field.value = ''
    this.#options = []
    this.results.hidden = true
    this.results.replaceChildren()
    byId('room-list').hidden = false
    this.field.setAttribute('aria-expanded', 'false')
    this.field.removeAttribute('aria-activedescendant')
    this.#say('')
  }
}
