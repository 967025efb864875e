// The layout of the store. Every step is one atomic write under a lock shared by all processes: it reads, compares
// (positions only move forward) and writes. Keys begin with the user's id.
//
// list                    {cursor, rooms}: the list as of its cursor
// recent                  [roomId]: rooms whose logs are kept, the last one asked for first
// log/ROOM/head           {generation, from, segments: {n: [events, bytes]}}
// log/ROOM/GENERATION.n   {events}: those from `seq` n on; the last one is the position
// outbox/NUMBER/KEY       a post; the numbers are the order kept
// done                    [{key, messageId?, seq?}]: the last posts that were given up, and the last that were stored
// changed                 another value each time that the outbox was changed
// reader/ROOM/NAME        {seq, mark?}
// marks                   {room: seq}: read here and not known to the server yet

import { changePosts, isKeptPost, keyOf, numberOf, postKey } from './core/kept-post.js'
import { positionOf } from './core/timeline.js'
import { BROKEN } from './storage/kept-storage.js'

const MOST_IN_SEGMENT = 64
/** A segment with this many characters is full. */
const LARGE_SEGMENT = 65_536
const MOST_ROOMS = 50
const MOST_EVENTS = 1_000
const MOST_BYTES = 1 << 20
const LOCK = 'store'

export class Store {
  #kept
  #prefix
  /** The outbox as it was read last: the value of `changed`, and the numbers by key. */
  #stamp
  #numbers = new Map()

  /** @param kept a `KeptStorage` */
  constructor(kept, userId) {
    this.#kept = kept
    this.#prefix = `${userId}/`
  }

  get isUnreadable() { return this.#kept.isUnreadable }

  lockName(name) { return this.#prefix + name }

  /** Runs `work(lost)` alone among all processes. Where the lock was taken over the step is done once more. */
  async step(work) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#kept.exclusively(LOCK, work)
      } catch (error) {
        if (error?.name !== 'LockLost' || attempt >= 5) throw error
      }
    }
  }

  /** `{list, me, marks, positions}` */
  async load() {
    const [list, me, marks, recent] = await Promise.all([this.get('list'), this.get('me'), this.get('marks'), this.#list('recent')])
    const positions = new Map()
    await Promise.all(recent.map(async roomId => {
      const position = await this.#position(roomId, await this.#head(roomId))
      if (position) positions.set(roomId, position)
    }))
    return { list: Array.isArray(list?.rooms) && list.rooms.every(row => row?.room) ? list : undefined, me, marks: marks ?? {}, positions }
  }

  get(key) { return this.#kept.get(this.#prefix + key) }

  /** A stored list; what is none is absent. */
  async #list(key) {
    const list = await this.get(key)
    return Array.isArray(list) ? list.filter(Boolean) : []
  }

  set(key, value) { return this.#kept.set(this.#prefix + key, value) }

  /** Reads a value, changes it by `change(value)` and writes it, in one step. */
  async update(key, change) {
    return await this.step(async lost => {
      const value = change(await this.get(key))
      await this.#write([[key, value]], lost)
      return value
    })
  }

  // Logs

  /** The kept events of a room: `{from, events}` without a gap; `undefined` where it is not kept. */
  async log(roomId) {
    const head = await this.#head(roomId)
    if (!head) return undefined
    const numbers = segmentNumbers(head)
    const segments = await Promise.all(numbers.map(number => this.#segment(roomId, head, number)))
    let events = []
    for (const segment of segments) for (const event of segment) {
      // Events before an unreadable segment are dropped.
      if (events.length > 0 && event.seq !== events.at(-1).seq + 1) events = []
      events.push(event)
    }
    const isWhole = events.length > 0 && events[0].seq === head.from.seq + 1
    return { from: events.length === 0 || isWhole ? head.from : { seq: events[0].seq - 1 }, events }
  }

  /** Marks a room as used. The logs of the least recently used rooms are no longer stored. */
  async touch(roomId) {
    await this.step(async lost => {
      const recent = (await this.#list('recent')).filter(id => id !== roomId)
      recent.unshift(roomId)
      const surplus = recent.splice(MOST_ROOMS)
      const changes = [['recent', recent]]
      for (const id of surplus) changes.push(...await this.#deletions(id))
      await this.#write(changes, lost)
    })
  }

  /** @param changes a `Changes` */
  async keep(changes) {
    if (changes.isEmpty) return
    await this.step(async lost => {
      const pairs = changes.list ? [['list', changes.list()]] : []
      for (const [roomId, change] of changes.rooms) pairs.push(...await this.#logChange(roomId, change))
      if (pairs.length > 0) await this.#write(pairs, lost)
    })
  }

  async #logChange(roomId, { forget, begin, before, events }) {
    let head = await this.#head(roomId)
    const pairs = []
    // No longer stored: other rooms were used since.
    if (!head && !(await this.#list('recent')).includes(roomId)) return pairs
    if (forget) {
      pairs.push(...await this.#deletions(roomId))
      head = undefined
      if (!begin && events.length === 0) return pairs
    }
    if (begin && !(head && await this.#contains(roomId, head, begin))) {
      if (head) pairs.push(...await this.#deletions(roomId))
      head = newHead(begin)
      pairs.push([`log/${roomId}/head`, head])
    }
    if (events.length === 0) return pairs
    const position = head && (pairs.length > 0 ? head.from : await this.#position(roomId, head))
    if (!position || position.seq < before.seq) {
      // It was not kept, or something of it was lost: from here on.
      if (head) pairs.push(...await this.#deletions(roomId))
      head = newHead(before)
    } else if (position.seq > before.seq) {
      const same = events.find(event => event.seq === position.seq)
      if (same && same.mark !== position.mark) return pairs
      events = events.filter(event => event.seq > position.seq)
    } else if (position.mark !== undefined && before.mark !== undefined && position.mark !== before.mark) return pairs
    if (events.length > 0) pairs.push(...await this.#append(roomId, head, events))
    return pairs
  }

  async #append(roomId, head, events) {
    head = { ...head, segments: { ...head.segments } }
    const pairs = []
    const changed = new Map()
    let number = segmentNumbers(head).at(-1)
    for (const event of events) {
      const segment = head.segments[number]
      if (!segment || segment[0] >= MOST_IN_SEGMENT || segment[1] >= LARGE_SEGMENT) number = event.seq
      if (!changed.has(number)) changed.set(number, head.segments[number] ? await this.#segment(roomId, head, number) : [])
      changed.get(number).push(event)
      const [count, bytes] = head.segments[number] ?? [0, 0]
      head.segments[number] = [count + 1, bytes + JSON.stringify(event).length]
    }
    // The oldest go, in whole segments. The last one stays: it is the position.
    let count = 0, bytes = 0
    const kept = {}
    const numbers = segmentNumbers(head).reverse()
    for (const number of numbers) {
      count += head.segments[number][0]
      bytes += head.segments[number][1]
      if (number !== numbers[0] && (count > MOST_EVENTS || bytes > MOST_BYTES)) {
        pairs.push([segmentKey(roomId, head, number), undefined])
        count = bytes = Infinity
      } else kept[number] = head.segments[number]
    }
    for (const [number, events] of changed) if (kept[number]) pairs.push([segmentKey(roomId, head, number), { events }])
    head.segments = kept
    const first = segmentNumbers(head)[0]
    if (first > head.from.seq + 1) head.from = { seq: first - 1 }
    pairs.push([`log/${roomId}/head`, head])
    return pairs
  }

  /** Whether the stored log contains this event: then another process has begun the same log. */
  async #contains(roomId, head, { seq, mark }) {
    if (head.from.seq === seq) return head.from.mark === mark
    const number = segmentNumbers(head).findLast(first => first <= seq)
    if (mark === undefined || number === undefined) return false
    return (await this.#segment(roomId, head, number)).some(event => event.seq === seq && event.mark === mark)
  }

  async #head(roomId) {
    const head = await this.get(`log/${roomId}/head`)
    return typeof head?.generation === 'string' && Number.isSafeInteger(head.from?.seq) && head.segments ? head : undefined
  }

  async #segment(roomId, head, number) {
    const events = (await this.get(segmentKey(roomId, head, number)))?.events
    return Array.isArray(events) ? events : []
  }

  async #position(roomId, head) {
    if (!head) return undefined
    const last = segmentNumbers(head).at(-1)
    if (last === undefined) return head.from
    const event = (await this.#segment(roomId, head, last)).at(-1)
    // The position is lost: the room begins at its head rather than with a gap.
    return event && positionOf(event)
  }

  async #deletions(roomId) {
    const keys = await this.#kept.keys(`${this.#prefix}log/${roomId}/`)
    return keys.map(key => [key.slice(this.#prefix.length), undefined])
  }

  // The outbox

  /** `{posts, done}`: all posts, in order, and the last that left; `undefined` where what was read before still counts. */
  async outbox() {
    const stamp = await this.#readStamp()
    const keys = await this.#outboxKeys()
    const posts = await Promise.all(keys.map(key => this.get(key)))
    // Read last, so that it includes posts that another process removed meanwhile.
    const done = await this.#list('done')
    if (this.isUnreadable && this.#stamp !== undefined) return undefined
    this.#stamp = stamp
    this.#numbers = new Map(keys.map(key => [keyOf(key), numberOf(key)]))
    return { posts: posts.filter(isKeptPost), done }
  }

  /** Whether another process has changed the outbox since it was read. */
  async isOutboxChanged() { return await this.#readStamp() !== this.#stamp && !this.isUnreadable }

  /** As a text, which is equal to itself whatever is stored. */
  async #readStamp() { return String(await this.get('changed')) }

  /** Makes changes of posts, in order and in one step, as `changePosts` does. Returns its answers. */
  async changeOutbox(changes) {
    return await this.step(async lost => {
      // Where no other process has changed anything the keys are known.
      const isKnown = await this.#readStamp() === this.#stamp || this.isUnreadable
      const numbers = new Map(isKnown ? this.#numbers : (await this.#outboxKeys()).map(key => [keyOf(key), numberOf(key)]))
      const posts = new Map()
      for (const { key } of changes) {
        const post = numbers.has(key) && await this.get(postKey(numbers.get(key), key))
        if (isKeptPost(post)) posts.set(key, post)
      }
      // A post that is added, or changed where it is, needs no outcomes of others.
      const done = changes.every(({ key, add, put }) => add || put && posts.has(key)) ? [] : await this.#list('done')
      const { answers, pairs } = changePosts({ numbers, posts, done, isUnreadable: this.isUnreadable }, changes)
      if (pairs.size === 0) return answers
      const stamp = newName()
      await this.#write([...pairs, ['changed', stamp]], lost)
      if (isKnown) { this.#stamp = stamp; this.#numbers = numbers }
      return answers
    })
  }

  async #outboxKeys() {
    return (await this.#kept.keys(`${this.#prefix}outbox/`)).map(key => key.slice(this.#prefix.length))
  }

  /** Deletes everything of this user. */
  async clear() {
    await this.step(async lost => {
      const keys = await Promise.all([this.#prefix, BROKEN + this.#prefix].map(prefix => this.#kept.keys(prefix)))
      await this.#kept.write(keys.flat().map(key => [key, undefined]), { lost })
    })
  }

  #write(pairs, lost) { return this.#kept.write(pairs.map(([key, value]) => [this.#prefix + key, value]), { lost }) }
}

/** What a batch of frames changes. */
export class Changes {
  rooms = new Map()
  list

  get isEmpty() { return this.rooms.size === 0 && !this.list }

  /** @param before the log's position before the event */
  event(roomId, event, before) { this.#room(roomId, before).events.push(event) }
  begin(roomId, position) { this.rooms.set(roomId, { forget: this.rooms.get(roomId)?.forget, begin: position, before: position, events: [] }) }
  forget(roomId) { this.rooms.set(roomId, { forget: true, events: [] }) }

  #room(roomId, before) {
    let room = this.rooms.get(roomId)
    if (!room) this.rooms.set(roomId, room = { before, events: [] })
    room.before ??= before
    return room
  }
}

const newName = () => Math.random().toString(36).slice(2, 10)
const newHead = from => ({ generation: newName(), from: { ...from }, segments: {} })
const segmentKey = (roomId, { generation }, number) => `log/${roomId}/${generation}.${number}`
const segmentNumbers = head => Object.keys(head.segments).map(Number).sort((a, b) => a - b)
