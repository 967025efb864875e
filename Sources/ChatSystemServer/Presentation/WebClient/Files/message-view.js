// One row of a room as an element. What users wrote becomes text nodes and links, never HTML.

import { attachmentsOf, blocksOf, editableText, placeholderOf, summaryOf } from './content.js'
import { element, icon, isolate } from './dom.js'
import { fileElement, keepPlayers } from './file-view.js'
import { initials, isolated, tone } from './names.js'
import { readersOf, timeOf } from './rows.js'
import { dayName, errorText, formatted, t } from './strings.js'

/** The picture of a person or a room: initials on a colour of its own. */
export function avatar(name, id, className = '') {
  return element('span', { className: `avatar ${className} tone-${tone(id)}`, attributes: { 'aria-hidden': 'true' } }, initials(name))
}

/**
 * `extra` of a row: `{sender, quote, tools, readers, post, showPreviews}`; `act(name, row)` does what a button says; `files`
 * knows where uploaded files are; `old` is the row's element until now.
 */
export function rowElement(row, act, files, old) {
  switch (row.kind) {
    case 'day': return element('li', { className: 'day' }, element('span', {}, dayName(row.at)))
    case 'new': return element('li', { className: 'new' }, t('newLine'))
    case 'notice': return element('li', { className: 'happened' }, row.extra.words)
    default: {
      const node = messageElement(row, act, files)
      if (old) keepPlayers(old, node)
      return node
    }
  }
}

function messageElement(row, act, files) {
  const { message, extra, follows, isMarked } = row
  const at = timeOf(message), { post, sender } = extra
  const classes = [
    'message', row.isOwn && 'own', follows && 'follows', isMarked && 'marked', message.isDeleted && 'deleted',
    (post || message.upload) && ((post ?? message.upload).state === 'refused' ? 'refused' : 'waiting'),
  ].filter(Boolean)
  const time = element('time', { dateTime: new Date(at).toISOString(), title: formatted('full', at) }, formatted('time', at))
  return element(
    'li', { className: classes.join(' '), data: { seq: message.seq ?? '' }, aria: { label: labelOf(row, at) } },
    ...follows
      ? [element('span', { className: 'side', attributes: { 'aria-hidden': 'true' } }, time)]
      : [avatar(sender, message.senderId ?? 'me'), element('div', { className: 'head' }, isolate(sender, 'sender'), time)],
    element('div', { className: 'body', dir: 'auto' }, quoteElement(extra.quote, row, act), ...bodyOf(row, act, files)),
    belowElement(row, act))
}

/** What a screen reader says where the message has the focus. */
function labelOf({ message, extra }, at) {
  const words = [extra.sender, summaryOf(message, 400, { isNamed: true }), formatted('time', at), message.isEdited && t('edited'), extra.stateWords]
  return words.filter(Boolean).join(', ')
}

function quoteElement(quote, row, act) {
  return quote && element('button', {
    type: 'button', className: 'quote', tabIndex: -1, onclick: () => act('original', row),
  }, ...quote.sender ? [isolate(quote.sender), ': '] : [], isolate(quote.text))
}

function bodyOf(row, act, files) {
  const { message, extra } = row
  if (message.isDeleted) return [t('deletedMessage')]
  const placeholder = placeholderOf(message)
  if (placeholder) return [placeholder]
  const blocks = blocksOf(message)
  const nodes = blocks.map(blockElement)
  if (isEmojiOnly(blocks)) nodes[0].className = 'emoji-only'
  const attachments = attachmentsOf(message), [first] = attachments
  // Uploaded: its caption is below it.
  if (first?.fileId !== undefined) return [element('div', { className: 'media' }, fileElement(first, row, act, files)), ...nodes]
  const media = attachments
    .filter(({ kind }) => extra.showPreviews || message.messageType === 'file' || message.messageType === 'audio')
    .map((attachment, index) => mediaElement(attachment, index, row, act))
  if (!extra.showPreviews && nodes.length === 0) {
    for (const { href } of attachments) nodes.push(linkElement(href, [`${summaryOf(message)} ${href}`]))
  }
  return media.length > 0 ? [...nodes, element('div', { className: 'media' }, ...media)] : nodes
}

const isEmojiOnly = blocks => blocks.length === 1 && blocks[0].kind === 'paragraph' && blocks[0].children.length === 1
  && /^(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f?|\p{Emoji_Modifier}|\u200d|\s){1,16}$/u.test(blocks[0].children[0])

function blockElement(block) {
  switch (block.kind) {
    case 'codeBlock': return element('pre', { dir: 'ltr' }, element('code', {}, block.text))
    case 'quote': return element('blockquote', {}, ...block.children.map(blockElement))
    case 'list': {
      const items = block.items.map(item => element('li', { dir: 'auto' }, ...item.map(inlineElement)))
      return element(block.isOrdered ? 'ol' : 'ul', block.isOrdered ? { start: block.start } : {}, ...items)
    }
    default: return element('p', { dir: 'auto' }, ...block.children.map(inlineElement))
  }
}

const TAGS = { bold: 'strong', italic: 'em', strike: 's' }

function inlineElement(node) {
  if (typeof node === 'string') return node
  if (node.kind === 'code') return element('code', {}, node.text)
  if (node.kind === 'link') return linkElement(node.href, node.children)
  return element(TAGS[node.kind], {}, ...node.children.map(inlineElement))
}

const linkElement = (href, children) => element('a', {
  href, title: href, target: '_blank', rel: 'noopener noreferrer nofollow', tabIndex: -1,
}, ...children.map(inlineElement))

/** Pictures and videos have a fixed place before they are loaded. */
function mediaElement({ kind, href, source, name }, index, row, act) {
  switch (kind) {
    case 'picture': {
      const picture = element('img', {
        alt: summaryOf(row.message, 80), loading: 'lazy', decoding: 'async', referrerPolicy: 'no-referrer', src: source,
        onerror: event => event.target.parentElement?.classList.add('broken'),
      })
      const show = () => act('enlarge', { message: row.message, index })
      return element('button', { type: 'button', tabIndex: -1, onclick: show, aria: { label: `${t('enlarge')}: ${picture.alt}` } }, picture)
    }
    case 'video': return element('video', { controls: true, preload: 'metadata', src: source, tabIndex: -1, playsInline: true, data: { player: source } })
    case 'audio': return element('audio', { controls: true, preload: 'none', src: source, tabIndex: -1, data: { player: source } })
    default: return linkElement(href, [`${t('file')}: ${name || href}`])
  }
}

function belowElement(row, act) {
  const { message, extra: { post, readers, stateWords } } = row
  const button = (name, words) => element('button', {
    type: 'button', className: 'link', tabIndex: -1, onclick: () => act(name, row),
  }, words)
  const parts = [
    message.isEdited && !message.isDeleted && element('span', {}, t('edited')),
    stateWords && element('span', { className: 'state' }, stateWords),
    ...uploadParts(message.upload, button),
    ...post?.state === 'refused' ? [button('retry', t('retry')), button('discard', t('discard'))] : [],
    ...post && ['new', 'queued'].includes(post.state) ? [button('discard', t('takeBack'))] : [],
    readers && element('span', { className: 'readers' }, readers),
  ].filter(Boolean)
  return parts.length > 0 && element('div', { className: 'below' }, ...parts)
}

function uploadParts(upload, button) {
  switch (upload?.state) {
    case 'waiting': return [button('discard', t('cancel'))]
    case 'uploading': {
      const bar = element('progress', { max: 1, value: progressOf(upload), aria: { label: t('uploading') } })
      return [bar, button('discard', t('cancel'))]
    }
    case 'refused': return [button('retry', t('retry')), button('discard', t('discard'))]
    default: return []
  }
}

const progressOf = ({ sent, total }) => total > 0 ? sent / total : 0

/** Moves the bar of an upload on. */
export function showProgress(node, upload) {
  const bar = node?.querySelector('progress')
  if (bar) bar.value = progressOf(upload)
}

/** The words for a file that is no message yet. */
export function uploadWords({ state, error, isAgain }, isConnected) {
  switch (state) {
    case 'waiting': return t('queued')
    case 'refused': return t('notSent', errorText(error))
    case 'uploading': return !isConnected ? t('uploadWaits') : isAgain ? t('uploadAgain') : t('uploading')
    default: return t('sending')
  }
}

/** The words for a post that is not stored. */
export function postWords(post) {
  if (post.state === 'refused') {
    const words = t('notSent', errorText(post.error))
    return post.isCertain === false ? `${words} ${t('uncertain')}` : words
  }
  return post.state === 'sending' ? t('sending') : t('queued')
}

/**
 * Adds the buttons of a message. The right arrow key reaches them, so that a message is one tab stop. They are made
 * when the message is hovered or focused, since they are more elements than the rest of it.
 */
export function addTools(node, row, act) {
  const { extra } = row
  if (row.kind !== 'message' || extra.tools.length === 0 || node.lastElementChild.className === 'tools') return
  const buttons = extra.tools.map(name => element('button', {
    type: 'button', tabIndex: -1, title: t(name), onclick: () => act(name, row), aria: { label: t(name) },
  }, icon(ICONS[name])))
  node.append(element('div', { className: 'tools', role: 'group', aria: { label: t('tools', isolated(extra.sender)) } }, ...buttons))
}

const ICONS = { reply: 'reply', edit: 'edit', delete: 'delete', copy: 'copy', copyLink: 'link' }

/**
 * What is shown beside a row's own content. `shared` by all rows: `{lastOwn, nameOf, userId, isManaged, canWrite, readBy,
 * original(messageId), isConnected, showPreviews}`.
 */
export function extraOf({ kind, message, event, isOwn }, shared) {
  const { lastOwn, nameOf, userId, isManaged, canWrite, readBy, isConnected, showPreviews } = shared
  if (kind === 'notice') return { words: noticeWords(event, nameOf) }
  if (kind !== 'message') return {}
  const { upload } = message, post = message.seq === undefined ? message.post : undefined
  const readers = message === lastOwn ? readersOf(message.seq, userId, readBy).map(nameOf).map(isolated) : []
  return {
    sender: nameOf(isOwn ? userId : message.senderId), post, state: (upload ?? post)?.state, quote: quoteOf(message, shared), showPreviews,
    stateWords: upload ? uploadWords(upload, isConnected) : post ? postWords(post) : '',
    tools: toolsOf({ message, isOwn, post, isManaged, canWrite }), readers: readers.length > 0 ? t('readBy', readers) : '',
  }
}

function quoteOf({ replyToMessageId }, { nameOf, original }) {
  if (replyToMessageId === undefined) return null
  const message = original(replyToMessageId)
  if (message === undefined) return { text: '…' }
  return message === null ? { text: t('originalMissing') } : { sender: nameOf(message.senderId), text: summaryOf(message, 140, { isNamed: true }) }
}

/** What may be done with a message, in the order of the buttons. */
export function toolsOf({ message, isOwn, post, isManaged, canWrite }) {
  if (message.isDeleted) return []
  const isText = editableText(message) !== null, isStored = message.seq !== undefined
  return [
    canWrite && isStored && 'reply', canWrite && isOwn && isText && (!post || post.state !== 'sending') && 'edit',
    isText && 'copy', isStored && 'copyLink', canWrite && isStored && (isOwn || isManaged) && 'delete',
  ].filter(Boolean)
}

/** What has happened in a room, in words. */
export function noticeWords(event, nameOf) {
  const user = event.userId === undefined ? '' : isolated(nameOf(event.userId)), actor = isolated(nameOf(event.actorId))
  const isOwnDoing = event.userId === event.actorId
  switch (event.eventType) {
    case 'member_joined': return isOwnDoing ? t('joined', user) : t('added', actor, user)
    case 'member_left': return isOwnDoing ? t('left', user) : t('removed', actor, user)
    case 'member_role_changed': return t('roleChanged', user, event.role)
    case 'room_updated': return t('renamed', actor, isolated(event.name))
    default: return t('archivedBy', actor)
  }
}
