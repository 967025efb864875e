// What a room shows, row by row, from its log and one's posts. No DOM.

import { summaryOf } from './message-text.js'

/** A message this soon after another of the same sender stands right below it, without the name. */
const TOGETHER_MS = 5 * 60_000

/**
 * Rows are `{kind, key, …}` of 'day', 'notice', 'message' and 'post'. Their fields are plain values or replaced with what
 * they show, so that two rows can be compared field by field.
 */
export function timeline({ log, posts, userId, readBy, isManaged, isArchived, nameOf }) {
  const rows = []
  const lastOwn = log.entries.findLast(entry => entry.message?.senderId === userId)
  let day = null, before = null
  for (const entry of log.entries) {
    const at = new Date(entry.message?.sentAt ?? entry.event.at)
    if (at.toDateString() !== day) {
      day = at.toDateString()
      before = null
      rows.push({ kind: 'day', key: `d${entry.seq}`, at: at.getTime() })
    }
    if (entry.kind === 'notice') {
      rows.push({ kind: 'notice', key: entry.key, text: noticeText(entry.event, nameOf) })
      before = null
      continue
    }
    const { message } = entry
    const isOwn = message.senderId === userId
    rows.push({
      kind: 'message', key: isOwn && message.clientMessageId ? `c${message.clientMessageId}` : entry.key,
      message, isOwn, sender: nameOf(message.senderId), follows: isTogether(before, message, at),
      quote: quote(message, log, nameOf), tools: tools(message, isOwn, isManaged, isArchived),
      readers: entry === lastOwn ? readers(entry.seq, userId, readBy, nameOf) : '',
    })
    before = { senderId: message.senderId, at: at.getTime() }
  }
  for (const post of posts) {
    rows.push({ kind: 'post', key: `c${post.clientMessageId}`, post, quote: quote(post, log, nameOf) })
  }
  return rows
}

const isTogether = (before, message, at) =>
  before !== null && before.senderId === message.senderId && at.getTime() - before.at < TOGETHER_MS

function quote({ replyToMessageId }, log, nameOf) {
  if (replyToMessageId === undefined) return ''
  const message = log.message(replyToMessageId)
  return message ? `${nameOf(message.senderId)}: ${summaryOf(message)}` : 'In reply to an earlier message'
}

/** Names, for a field of the row, of what the user may do with the message. */
function tools(message, isOwn, isManaged, isArchived) {
  if (isArchived || message.isDeleted) return ''
  return ['reply', isOwn && message.messageType === 'text' && 'edit', (isOwn || isManaged) && 'delete']
    .filter(Boolean).join(' ')
}

function readers(seq, userId, readBy, nameOf) {
  const names = [...readBy].filter(([reader, until]) => reader !== userId && until >= seq).map(([reader]) => nameOf(reader))
  if (names.length === 0) return ''
  return names.length > 3 ? `Read by ${names.length}` : `Read by ${names.join(', ')}`
}

function noticeText(event, nameOf) {
  const user = event.userId === undefined ? '' : nameOf(event.userId)
  const actor = nameOf(event.actorId)
  const isOwnDoing = event.userId === event.actorId
  switch (event.eventType) {
    case 'member_joined': return isOwnDoing ? `${user} joined` : `${actor} added ${user}`
    case 'member_left': return isOwnDoing ? `${user} left` : `${actor} removed ${user}`
    case 'member_role_changed': return `${user} is now ${event.role}`
    case 'room_updated': return `${actor} named the room “${event.name}”`
    default: return `${actor} archived the room`
  }
}
