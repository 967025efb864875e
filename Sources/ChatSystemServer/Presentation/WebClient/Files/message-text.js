// What a message says, as text and links. Nothing here makes HTML.

const WEB_ADDRESS = /\bhttps?:\/\/[^\s<>"']+/giu
/** Marks that end a sentence rather than an address. */
const TRAILING = /[.,;:!?)\]}]+$/u

/** A link's address if it is one of the web, else `null`: no `javascript:`, no `data:`. */
export function webAddress(text) {
  try {
    const url = new URL(String(text))
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null
  } catch {
    return null
  }
}

/** Splits a text into parts: `{text}` and `{text, href}`. */
export function withLinks(text) {
  const parts = []
  let end = 0
  for (const match of text.matchAll(WEB_ADDRESS)) {
    const address = match[0].replace(TRAILING, '')
    const href = webAddress(address)
    if (href === null) continue
    if (match.index > end) parts.push({ text: text.slice(end, match.index) })
    parts.push({ text: address, href })
    end = match.index + address.length
  }
  if (end < text.length) parts.push({ text: text.slice(end) })
  return parts
}

/** The parts of a message of any type. */
export function partsOf(message) {
  const content = contentOf(message)
  const link = (address, label) => {
    const href = webAddress(address)
    return href === null ? [{ text: label }] : [{ text: label, href }]
  }
  switch (message.messageType) {
    case 'text':
    case 'system': return withLinks(String(content.text ?? ''))
    case 'image': return link(content.imageUrl, `Picture${content.caption ? `: ${content.caption}` : ''}`)
    case 'file': return link(content.fileUrl, `File: ${content.fileName ?? ''}`)
    case 'video': return link(content.url, 'Video')
    case 'audio': return link(content.url, 'Audio')
    case 'location':
      return [{ text: `Place: ${content.label ? `${content.label}, ` : ''}${content.latitude}, ${content.longitude}` }]
    case 'sticker': return [{ text: `Sticker ${content.stickerId ?? ''}` }]
    default: return [{ text: 'A message that this page cannot show' }]
  }
}

/** One line of a message, for lists and quotes. */
export function summaryOf(message) {
  if (message.isDeleted) return 'Deleted message'
  return partsOf(message).map(part => part.text).join('').replace(/\s+/gu, ' ').slice(0, 140)
}

/** The text that can be edited; `null` where there is none. */
export function editableText(message) {
  return message.messageType === 'text' && !message.isDeleted ? String(contentOf(message).text ?? '') : null
}

function contentOf(message) {
  try {
    const content = JSON.parse(message.contentJson)
    return content !== null && typeof content === 'object' ? content : {}
  } catch {
    return {}
  }
}
