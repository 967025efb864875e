// The content of a message: its payload by type, as text and as links. Pure.

import { mediaKind, webAddress } from './links.js'
import { linksOf, parseMarkdown, textOf } from './markdown.js'
import { oneLine, shownName } from './names.js'
import { t } from './strings.js'

const MOST_PREVIEWS = 4
const trees = new WeakMap()

/** The payload as an object, whatever was stored. */
export function payloadOf(message) {
  const content = message.content ?? message.payload ?? parsed(message.contentJson)
  return content !== null && typeof content === 'object' ? content : {}
}

function parsed(text) {
  try { return JSON.parse(text) } catch { return {} }
}

/** The blocks of a message's text; parsed once a message. */
export function blocksOf(message) {
  if (!trees.has(message)) trees.set(message, parseMarkdown(shownText(message)))
  return trees.get(message)
}

/** The text under or instead of what a message shows. */
function shownText(message) {
  const content = payloadOf(message)
  switch (message.messageType ?? 'text') {
    case 'text': case 'system': return String(content.text ?? message.text ?? '')
    case 'image': case 'file': case 'video': case 'audio': return String(content.caption ?? '')
    default: return ''
  }
}

/**
 * Pictures, videos, audio and files of a message: `{kind, href, source, width?, height?, name?}`. For a text message
 * those that its links name. An uploaded file has a `fileId` instead of URLs, which is empty during the upload.
 */
export function attachmentsOf(message) {
  const content = payloadOf(message)
  if (typeof content.fileId === 'string' && message.messageType in KINDS) return [uploadedOf(message, content)]
  const one = (kind, address, source = address, others = {}) => {
    const href = webAddress(address)
    return href ? [{ kind, href, source: webAddress(source) ?? href, ...others }] : []
  }
  const size = { width: positive(content.width), height: positive(content.height) }
  switch (message.messageType ?? 'text') {
    case 'text': return linksOf(blocksOf(message)).map(href => ({ kind: mediaKind(href), href, source: href }))
      .filter(({ kind }) => kind !== null).slice(0, MOST_PREVIEWS)
    case 'image': return one('picture', content.imageUrl, content.thumbnailUrl ?? content.imageUrl, size)
    case 'video': return one('video', content.url, content.url, size)
    case 'audio': return one('audio', content.url)
    case 'file': return one('file', content.fileUrl, content.fileUrl, { name: String(content.fileName ?? '') })
    default: return []
  }
}

const KINDS = { image: 'picture', video: 'video', audio: 'audio', file: 'file' }

/** A file that was uploaded: shown in place where its bytes are what the message says they are. */
function uploadedOf({ messageType }, content) {
  const mimeType = String(content.mimeType ?? '')
  const isShown = mimeType === '' || mimeType.startsWith(`${messageType}/`)
  return {
    kind: isShown ? KINDS[messageType] : 'file', fileId: content.fileId, name: nameOfFile(content), mimeType,
    size: positive(content.fileSize), width: positive(content.width), height: positive(content.height),
  }
}

const nameOfFile = content => shownName(content.fileName, t('file'))

const positive = value => Number.isFinite(value) && value > 0 ? value : undefined

/** The placeholder of a message type that has neither text nor attachment. */
export function placeholderOf(message) {
  const content = payloadOf(message)
  switch (message.messageType ?? 'text') {
    case 'text': case 'system': case 'image': case 'video': case 'audio': case 'file': return ''
    case 'location': return t('place', [content.label, `${content.latitude}, ${content.longitude}`].filter(Boolean).join(', '))
    case 'sticker': return t('sticker', String(content.stickerId ?? ''))
    default: return t('unknownMessage')
  }
}

/**
 * One line of a message, for lists, quotes, notifications and the live region. `isNamed`: a picture, video or sound that says
 * nothing else is called by the name of its file.
 */
export function summaryOf(message, most = 140, { isNamed = false } = {}) {
  if (message.isDeleted) return t('deletedMessage')
  const words = textOf(blocksOf(message))
  const type = message.messageType ?? 'text'
  if (type === 'text' || type === 'system') return oneLine(words, most)
  const content = payloadOf(message)
  const what = { image: t('picture'), video: t('video'), audio: t('audio'), file: t('file') }[type] ?? placeholderOf(message)
  const name = content.fileName !== undefined && (type === 'file' || (isNamed && words === '')) ? nameOfFile(content) : ''
  const more = [name, words].filter(Boolean).join(' – ')
  return oneLine(more ? `${what}: ${more}` : what, most)
}

/** The text that can be edited or copied; `null` where there is none. */
export function editableText(message) {
  if (message.isDeleted || (message.messageType ?? 'text') !== 'text') return null
  return String(payloadOf(message).text ?? message.text ?? '')
}
