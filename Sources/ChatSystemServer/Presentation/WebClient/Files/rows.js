// What a room shows, row by row: days, the "new since" line, messages in groups, what has happened. Pure.

import { pictureBox } from './attaching.js'

/** A message within this time after another of the same sender is grouped with it, without name and picture. */
const TOGETHER_MS = 5 * 60_000
const times = new WeakMap()

/** The time of a message in milliseconds; parsed once. */
export function timeOf(message) {
  if (!times.has(message)) times.set(message, Date.parse(message.sentAt ?? message.createdAt) || Date.now())
  return times.get(message)
}

/** The calendar day of a time: `{start, end}` in local time; clocks that are changed make days of 23 and 25 hours. */
function dayOf(at) {
  const start = new Date(at)
  start.setHours(0, 0, 0, 0)
  const end = new Date(start)
  end.setDate(end.getDate() + 1)
  return { start: start.getTime(), end: end.getTime() }
}

/**
 * Rows are `{kind, key, …}` of kind 'day', 'new', 'notice' and 'message'.
 *
 * @param messages ascending, own posts that are not stored last
 * @param notices events that are no messages, ascending by `seq`
 * @param newAfter the `seq` after which messages of others were new when the room was opened; `undefined`: no line
 * @param marked the `seq` of a message that an address named
 */
export function rowsOf({ messages, notices = [], userId, newAfter, marked }) {
  const rows = []
  let day = { start: 0, end: 0 }, before = null, hasLine = newAfter === undefined, nextNotice = 0
  const startDay = at => {
    if (at >= day.start && at < day.end) return
    day = dayOf(at)
    before = null
    rows.push({ kind: 'day', key: `day:${day.start}:${rows.length}`, at: day.start })
  }
  const addNotices = until => {
    for (; nextNotice < notices.length && notices[nextNotice].seq < until; nextNotice += 1) {
      const event = notices[nextNotice]
      startDay(Date.parse(event.at) || Date.now())
      rows.push({ kind: 'notice', key: `notice:${event.seq}`, event })
      before = null
    }
  }
  const firstSeq = messages[0]?.seq ?? 0
  while (nextNotice < notices.length && notices[nextNotice].seq < firstSeq) nextNotice += 1
  for (const message of messages) {
    const { seq, senderId } = message
    // What is not stored yet comes after all that has happened.
    addNotices(seq ?? Infinity)
    const at = timeOf(message), isOwn = senderId === userId || seq === undefined
    startDay(at)
    if (!hasLine && !isOwn && seq > newAfter && !message.isDeleted) {
      hasLine = true
      before = null
      rows.push({ kind: 'new', key: 'new' })
    }
    const follows = before !== null && before.senderId === (isOwn ? userId : senderId) && at - before.at < TOGETHER_MS
      && message.replyToMessageId === undefined
    rows.push({ kind: 'message', key: message.key, message, isOwn, follows, isMarked: seq !== undefined && seq === marked })
    before = { senderId: isOwn ? userId : senderId, at }
  }
  addNotices(Infinity)
  return rows
}

/** Adds a lazy `extra`, what is shown beside the message, to each row: few rows are ever shown. */
export function completed(rows, make) {
  for (const row of rows) {
    let extra
    Object.defineProperty(row, 'extra', { get: () => extra ??= make(row) })
  }
  return rows
}

/** Whether two rows look the same. Messages are frozen and replaced when they change; own posts at each look. */
export function isSameRow(one, other) {
  if (one.kind !== other.kind || one.follows !== other.follows || one.isOwn !== other.isOwn) return false
  if (one.at !== other.at || one.event !== other.event || one.isMarked !== other.isMarked) return false
  if (one.message !== other.message) {
    const isPost = one.message.seq === undefined && other.message.seq === undefined
    if (!isPost || one.message.contentJson !== other.message.contentJson) return false
  }
  return isSameExtra(one.extra ?? {}, other.extra ?? {})
}

/** What is shown beside the message: plain values, lists of words, and a quote of such. */
function isSameExtra(one, other) {
  return one === other || Object.keys(one).every(name => {
    const value = one[name], against = other[name]
    if (Object.is(value, against)) return true
    return value !== null && typeof value === 'object' && !('discard' in value) && JSON.stringify(value) === JSON.stringify(against)
  })
}

/** How high a row will be, roughly, before it was ever shown: `width` is that of the text in pixels. */
export function estimatedHeight(row, width) {
  switch (row.kind) {
    case 'day': case 'new': return 44
    case 'notice': return 32
    default: {
      if (FILE_HEIGHTS.has(row.message.messageType)) return (row.follows ? 8 : 44) + fileHeight(row.message)
      const text = row.message.contentJson ?? row.message.text ?? ''
      const perLine = Math.max(20, width / 7.5)
      const lines = Math.max(1, Math.ceil((text.length - 11) / perLine) + text.split('\\n').length - 1)
      return (row.follows ? 4 : 40) + lines * 24
    }
  }
}

/** With room for what stands around them; pictures have their own. */
const FILE_HEIGHTS = new Map([['image', undefined], ['video', 230], ['audio', 90], ['file', 64]])

function fileHeight({ messageType, contentJson = '' }) {
  // Without parsing: this is asked of each of up to 10,000 rows, of which few are ever shown.
  const [width, height] = ['width', 'height'].map(name => Number(new RegExp(`"${name}":(\\d+)`).exec(contentJson)?.[1]))
  const caption = contentJson.includes('"caption":') ? 24 : 0
  return (FILE_HEIGHTS.get(messageType) ?? pictureBox(width, height).height) + caption
}

/** The members of `readBy` (userId → seq) who have read up to a message, without its sender. */
export function readersOf(seq, senderId, readBy) {
  return [...readBy].filter(([reader, until]) => reader !== senderId && until >= seq).map(([reader]) => reader)
}
