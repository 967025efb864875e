// The open room on the screen.

import { announce, toast } from './attention.js'
import { Composer } from './composer.js'
import { byId, listen, oncePerFrame } from './dom.js'
import { MessageList } from './message-list.js'
import { addTools, extraOf, rowElement, showProgress } from './message-view.js'
import { RoomFiles } from './room-files.js'
import { RoomKeys } from './room-keys.js'
import { renderHead, renderHistory } from './room-head.js'
import { GuestRoom, Originals, RoomActivity, loadOlder } from './room-source.js'
import { roomName } from './sidebar.js'
import { completed, estimatedHeight, isSameRow, rowsOf } from './rows.js'
import { errorText, t } from './strings.js'

/** The most older messages that are loaded to reach the first unread one, or a linked one. */
const MOST_LOADED = 10_000
const PAGE = 100
const READ_PAUSE_MS = 250

export class RoomView {
  #room = null
  #activity = null
  #newAfter
  #marked
  #wasSeen = false
  /** Whether the room has its initial scroll position; before that nothing counts as read. */
  #isPlaced = false
  /** Whether something has come since the user looked away. */
  #isAway = false
  #loading = null
  #trouble = ''
  #readTimer
  #off
  /** The history by REST, while the library has none for lack of a connection. */
  #fallback = null

  /** `on`: `copy(what, message, roomId)`, `changed(room)`, `seenChanged()`. */
  constructor({ chat, api, people, drafts, preferences, userId, on, signal }) {
    Object.assign(this, { chat, api, people, preferences, userId, on })
    this.render = oncePerFrame(() => { if (this.#room && !signal.aborted) this.#render() })
    this.originals = new Originals(api, this.render)
    this.files = new RoomFiles({ chat, userId, preferences, signal, messages: () => this.#shown, on: {
      changed: this.render, say: words => this.composer.fail(words),
      closed: row => (this.list.elements.node(row) ?? this.list.scroller).focus({ preventScroll: true }),
      progress: upload => showProgress(this.list.elements.node(`upload:${upload.key}`), upload),
    } })
    this.composer = new Composer({ drafts, tray: this.files.tray, signal, on: {
      send: (text, replyTo, files) => this.#send(text, replyTo, files), edit: (message, text) => this.#edit(message, text),
      typing: isTyping => this.#room?.typing(isTyping), editLast: () => this.#editLast(), words: errorText,
    } })
    this.list = new MessageList({
      scroller: byId('scroller'), list: byId('log'), above: byId('history'), 
      make: (row, old) => rowElement(row, (name, about) => this.act(name, about), this.files, old),
      isSame: isSameRow, estimate: estimatedHeight, signal,
      on: {
        scroll: () => this.#moved(), nearStart: () => { if (!this.#trouble) this.#loadOlder() },
        attend: (node, row) => addTools(node, row, (name, about) => this.act(name, about)),
      },
    })
    this.keys = new RoomKeys({ list: this.list, composer: this.composer, act: (name, row) => this.act(name, row), signal })
    listen(signal, [
      [byId('to-end'), 'click', () => this.#toEnd()],
      [byId('older'), 'click', () => this.#loadOlder()],
      [window, 'focus', () => this.#see()],
      [window, 'blur', () => this.#see()],
      [document, 'visibilitychange', () => this.#see()],
      [people, 'change', this.render],
      [preferences, 'change', this.render],
    ])
    const offs = [chat.rooms.subscribe(this.render), chat.on('post', this.render), chat.on('state', () => this.#stateChanged())]
    signal.addEventListener('abort', () => { for (const off of offs) off(); this.show(null) })
  }

  get roomId() { return this.#room?.id ?? null }

  /** Whether the user is looking at the end of a room: what comes is read as it comes. */
  isSeen(roomId) { return this.#isPlaced && roomId === this.roomId && this.list.isAtEnd && isLookedAt() }

  /** Goes over to another room, or to none; `seq`: to a message of it. */
  show(room, seq) {
    if (room && room === this.#room) {
      if (seq !== undefined) this.#goTo(seq)
      return
    }
    this.#activity?.close()
    this.#off?.()
    clearTimeout(this.#readTimer)
    this.#room = room
    this.#loading = null
    this.#trouble = ''
    this.#fallback = null
    this.#marked = undefined
    this.#isPlaced = this.#isAway = false
    this.list.reset()
    this.composer.show(room?.id ?? null)
    byId('announcer').replaceChildren()
    byId('open-room').hidden = room === null
    byId('no-room').hidden = room !== null
    if (!room) return
    const { info } = room
    this.#newAfter = info?.unreadCount > 0 ? info.lastReadSeq ?? 0 : undefined
    this.#off = room.subscribe(this.render)
    this.#activity = new RoomActivity(room, {
      userId: this.userId, changed: this.render, onMessage: event => this.#arrived(event),
    })
    this.#render()
    this.#open(room, seq)
    if (matchMedia('(any-hover: hover)').matches) this.composer.focus()
  }

  #stateChanged() {
    // What could not be loaded without a connection.
    if (this.chat.state === 'live' && this.#trouble) this.#loadOlder()
    this.render()
  }

  /** The words are in another language. */
  retranslate() {
    const rows = this.list.rows
    if (rows.length > 0) this.list.rebuild()
    this.render()
  }

  /** Loads what belongs on the screen first: up to the first unread message, or the one that was named. */
  async #open(room, seq) {
    if (seq !== undefined) await this.#goTo(seq)
    else if (this.#newAfter !== undefined) await this.#loadUntil(room, this.#newAfter + 1)
    if (this.#room !== room) return
    this.#render()
    if (seq === undefined && this.#newAfter !== undefined && !this.list.reveal('new')) this.#toEnd()
    this.#isPlaced = true
    this.#see()
  }

  async #goTo(seq) {
    const room = this.#room
    const isFound = await this.#loadUntil(room, seq)
    if (this.#room !== room) return
    const message = isFound && this.#messages.find(each => each.seq === seq)
    if (!message) return toast(t('tooFarBack'))
    this.#marked = seq
    this.#render()
    this.list.reveal(message.key)
  }

  /** Loads older messages until one with a `seq` up to this is there. */
  async #loadUntil(room, seq) {
    let loaded = 0
    // A first page, also where what is kept ends behind the goal.
    while (this.#room === room && (this.#messages[0]?.seq ?? Infinity) > seq) {
      if (!this.#hasMore || loaded >= MOST_LOADED) return this.#messages.length > 0 && loaded < MOST_LOADED
      if (!await this.#loadOlder()) return false
      loaded += PAGE
    }
    return true
  }

  get #messages() {
    const own = this.#room.messages
    return this.#fallback === null || own[0]?.seq !== undefined ? own : [...this.#fallback.messages, ...own]
  }

  /** With what is being uploaded at their end. */
  get #shown() { return this.#room === null ? [] : this.files.uploads.shown(this.roomId, this.#messages) }

  get #hasMore() { return (this.#fallback ?? this.#room).hasMore ?? true }

  /** Returns whether a page has come. */
  #loadOlder() {
    const room = this.#room
    if (!room || !this.#hasMore) return Promise.resolve(false)
    this.#loading ??= this.#loadPage(room)
    return this.#loading
  }

  async #loadPage(room) {
    await null
    const first = this.#messages[0]?.seq
    try {
      if (this.#fallback === null) await loadOlder(room, PAGE)
      if (this.#room !== room) return false
      if (room.messages[0]?.seq === undefined && room.hasMore) {
        this.#fallback ??= new GuestRoom(this.api, { roomId: room.id })
        await this.#fallback.loadOlder()
      }
      this.#trouble = ''
      return this.#room === room && (this.#messages[0]?.seq !== first || !this.#hasMore)
    } catch {
      if (this.#room === room) this.#trouble = t('historyFailed')
      return false
    } finally {
      if (this.#room === room) {
        this.#loading = null
        this.render()
      }
    }
  }

  /** The socket is there: from now on the library has the log. */
  #endFallback() {
    if (this.#fallback === null || (this.#room.state !== 'live' && this.#room.state !== 'syncing')) return
    this.#fallback = null
    this.#loadOlder()
  }

  #render() {
    const room = this.#room, { info } = room
    this.#endFallback()
    const messages = this.#shown
    const nameOf = userId => this.people.name(userId)
    const isMember = info !== undefined && room.state !== 'gone' && !room.isGuest
    const isArchived = info?.archivedAt !== undefined
    renderHead(room, {
      isMember, isArchived, typists: this.#activity.typists.map(nameOf),
      // Unknown before the first list of rooms.
      isKnown: this.chat.state === 'live' || this.chat.rooms.list.length > 0,
    })
    const rows = rowsOf({
      messages, notices: this.#activity.notices, userId: this.userId, newAfter: this.#newAfter, marked: this.#marked,
    })
    const loaded = new Map(messages.map(message => [message.messageId, message]))
    const lastOwn = messages.findLast(message => message.senderId === this.userId && message.seq !== undefined)
    const shared = {
      lastOwn, nameOf, userId: this.userId, isManaged: info?.ownerId === this.userId, canWrite: isMember && !isArchived,
      readBy: this.#activity.readBy, original: messageId => this.originals.get(messageId, loaded),
      isConnected: this.chat.state === 'live', showPreviews: this.preferences.get('previews'),
    }
    this.list.show(completed(rows, row => extraOf(row, shared)))
    // A user who returns continues at the first new message.
    if (this.#isAway && !isLookedAt()) this.list.hold('new')
    renderHistory({ trouble: this.#trouble, isLoading: this.#loading !== null, hasMore: this.#hasMore })
    this.files.viewer.refresh()
    this.on.changed(room)
  }

  // Moving

  #toEnd() {
    this.#room?.toEnd()
    this.list.toEnd()
    this.#render()
  }

  #moved() {
    const room = this.#room
    if (!room) return
    const isAtEnd = this.list.isAtEnd && room.isAtEnd
    const unread = isAtEnd ? 0 : Math.max(room.newerCount, room.info?.unreadCount ?? 0)
    byId('to-end').hidden = isAtEnd
    byId('to-end-text').textContent = unread > 0 ? t('newMessages', unread) : t('toNewest')
    this.#see()
  }

  /** Marks as read what was visible in a focused window. */
  #see() {
    if (isLookedAt()) this.#isAway = false
    const isSeen = this.roomId !== null && this.isSeen(this.roomId)
    if (isSeen !== this.#wasSeen) {
      this.#wasSeen = isSeen
      this.on.seenChanged()
    }
    clearTimeout(this.#readTimer)
    if (!this.#isPlaced) return
    if (isSeen && this.#room.isAtEnd) this.#read(this.#room.messages.findLast(each => each.seq !== undefined), undefined)
    else this.#readTimer = setTimeout(() => {
      const seen = isLookedAt() ? this.list.lastSeen()?.message : undefined
      this.#read(seen, seen?.seq)
    }, READ_PAUSE_MS)
  }

  /** Marks the room as read up to a `seq`; up to its end without one. */
  #read(seen, seq) {
    const room = this.#room
    if (room?.info && seen?.seq > (room.info.lastReadSeq ?? 0)) room.markRead(seq)
  }

  #arrived(event) {
    if (event.senderId === this.userId) return
    // Messages from an absence are not read out.
    if (this.chat.state === 'live') announce(this.people.name(event.senderId), event)
    // The line before messages that arrive unseen. It stays until the user sends, or has read all and looks away again.
    if (isLookedAt() || this.#isAway) return
    this.#isAway = true
    if (this.#newAfter === undefined || this.list.isAtEnd) this.#newAfter = event.seq - 1
  }

  // Doing

  /** A text, or `files` of which it is the caption. */
  #send(text, replyTo, files) {
    const room = this.#room
    try {
      if (files.length > 0) this.files.uploads.send(room.id, files, { caption: text, replyTo })
      else room.send({ text }, replyTo === undefined ? {} : { replyTo }).stored.catch(() => {})
      this.#newAfter = undefined
      this.#toEnd()
    } catch (error) {
      this.composer.fail(errorText(error))
    }
  }

  async #edit(message, text) {
    await this.#room.edit(message.seq === undefined ? message.clientMessageId : message.messageId, { text })
  }

  /** ↑ in an empty field: the last message of one's own. */
  #editLast() {
    const row = this.list.rows.findLast(each => each.kind === 'message' && each.extra.tools.includes('edit'))
    if (row) this.composer.edit(row.message)
    return row !== undefined
  }

  async act(name, row) {
    const message = row?.message, upload = message?.upload
    switch (name) {
      case 'reply': return this.composer.reply(message, row.extra.sender)
      case 'edit': return this.composer.edit(message)
      case 'enlarge': return this.files.enlarge(message, row.index)
      case 'retry': return upload ? this.files.uploads.retry(upload.key) : row.extra.post?.retry()
      case 'copy': case 'copyLink': return await this.on.copy(name, message, this.roomId)
      case 'original': return await this.#goToOriginal(message.replyToMessageId)
      // Its caption goes back into the composer.
      case 'discard': if (upload) return this.composer.give(this.files.uploads.discard(upload.key))
        return void await row.extra.post?.discard().catch(error => this.composer.fail(errorText(error)))
      case 'delete':
        if (!window.confirm(t('confirmDelete'))) return
        this.composer.drop(message.messageId)
        return await this.#room.delete(message.messageId).catch(error => this.composer.fail(errorText(error)))
    }
  }

  async #goToOriginal(messageId) {
    const loaded = this.#messages.find(each => each.messageId === messageId)
    const original = loaded ?? await this.originals.find(messageId)
    if (original?.seq) await this.#goTo(original.seq)
    else toast(t('originalMissing'))
  }
}

const isLookedAt = () => document.visibilityState === 'visible' && document.hasFocus()
