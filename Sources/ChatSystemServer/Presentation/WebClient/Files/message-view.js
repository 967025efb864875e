// One row of a room as an element.

import { element } from './dom.js'
import { partsOf } from './message-text.js'

const timeFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
const toolLabels = { reply: 'Reply', edit: 'Edit', delete: 'Delete' }
const stateLabels = { sending: 'sending', sent: 'sent', failed: 'failed' }

/** `act(name, message)` does what a tool says; `again` and `discard` take a post. */
export function rowElement(row, { act, again, discard }) {
  switch (row.kind) {
    case 'day': return element('li', { className: 'day' }, dayFormat.format(row.at))
    case 'notice': return element('li', { className: 'happened' }, row.text)
    case 'post': return postElement(row, again, discard)
    default: return messageElement(row, act)
  }
}

function messageElement({ message, isOwn, sender, follows, quote, tools, readers }, act) {
  const classes = ['message', isOwn && 'own', follows && 'follows', message.isDeleted && 'deleted']
  const sentAt = new Date(message.sentAt)
  return element(
    'li', { className: classes.filter(Boolean).join(' '), data: { messageId: message.messageId, seq: message.seq } },
    element('div', { className: isOwn || follows ? 'unseen' : 'sender' }, sender),
    element('div', { className: 'bubble' }, quoteElement(quote), ...content(message)),
    element(
      'div', { className: 'below' },
      element('time', { dateTime: message.sentAt, title: sentAt.toLocaleString() }, timeFormat.format(sentAt)),
      message.isEdited && !message.isDeleted && element('span', {}, 'edited'),
      element('span', { className: 'tools' }, ...tools.split(' ').filter(Boolean).map(tool => element(
        'button', {
          type: 'button', className: 'quiet', onclick: () => act(tool, message),
          aria: { label: `${toolLabels[tool]}: message of ${sender}` },
        }, toolLabels[tool])))),
    readers && element('div', { className: 'below' }, readers))
}

function postElement({ post, quote }, again, discard) {
  const isFailed = post.state === 'failed'
  return element(
    'li', { className: `message own ${post.state}`, data: { clientMessageId: post.clientMessageId } },
    element('div', { className: 'bubble' }, quoteElement(quote), post.text),
    element(
      'div', { className: 'below' },
      element('span', { className: 'state' }, isFailed ? `failed: ${post.reason}` : stateLabels[post.state]),
      isFailed && element('button', { type: 'button', className: 'link', onclick: () => again(post) }, 'Try again'),
      isFailed && element('button', { type: 'button', className: 'link', onclick: () => discard(post) }, 'Discard')))
}

const quoteElement = quote => quote && element('span', { className: 'quote' }, quote)

function content(message) {
  if (message.isDeleted) return ['This message was deleted']
  return partsOf(message).map(part => part.href === undefined
    ? part.text
    : element('a', { href: part.href, rel: 'noopener noreferrer nofollow', target: '_blank' }, part.text))
}
