// The everyday part of Markdown, as a tree. Pure: no HTML is read or made; what is no markup stays text, character for
// character, and `textOf` gives it back.
//
// Blocks: `{kind: 'paragraph', children}`, `{kind: 'codeBlock', text}`, `{kind: 'quote', children: [block]}`,
// `{kind: 'list', isOrdered, start, items: [[inline]]}`. Inlines: a string, `{kind: 'bold' | 'italic' | 'strike', children}`,
// `{kind: 'code', text}`, `{kind: 'link', href, children}`.

import { linksIn, webAddress } from './links.js'

const MOST_DEPTH = 6
const FENCE = /^ {0,3}```[^`]*$/u
const FENCE_END = /^ {0,3}```\s*$/u
const QUOTE = /^ {0,3}> ?/u
const BULLET = /^ {0,3}[-*•] +(?=\S)/u
const NUMBER = /^ {0,3}(\d{1,9})[.)] +(?=\S)/u

/** The blocks of a text. */
export function parseMarkdown(text, depth = 0) {
  const lines = text.split('\n'), blocks = []
  let paragraph = []
  const flush = () => {
    if (paragraph.some(line => line.trim() !== '')) {
      blocks.push({ kind: 'paragraph', children: parseInline(trimmedLines(paragraph).join('\n')) })
    }
    paragraph = []
  }
  for (let at = 0; at < lines.length;) {
    const line = lines[at]
    const closing = FENCE.test(line) ? lines.findIndex((other, index) => index > at && FENCE_END.test(other)) : -1
    if (closing > 0) {
      flush()
      blocks.push({ kind: 'codeBlock', text: lines.slice(at + 1, closing).join('\n') })
      at = closing + 1
    } else if (QUOTE.test(line) && depth < MOST_DEPTH) {
      flush()
      const end = runEnd(lines, at, QUOTE)
      const inner = lines.slice(at, end).map(each => each.replace(QUOTE, '')).join('\n')
      blocks.push({ kind: 'quote', children: parseMarkdown(inner, depth + 1) })
      at = end
    } else if (BULLET.test(line) || NUMBER.test(line)) {
      flush()
      const marker = BULLET.test(line) ? BULLET : NUMBER
      const end = runEnd(lines, at, marker)
      blocks.push({
        kind: 'list', isOrdered: marker === NUMBER, start: marker === NUMBER ? Number(line.match(NUMBER)[1]) : 1,
        items: lines.slice(at, end).map(each => parseInline(each.replace(marker, ''))),
      })
      at = end
    } else {
      paragraph.push(line)
      at += 1
    }
  }
  flush()
  return blocks
}

function runEnd(lines, start, pattern) {
  let end = start + 1
  while (end < lines.length && pattern.test(lines[end])) end += 1
  return end
}

/** Empty lines at both ends are left out; spaces before words stay. */
function trimmedLines(lines) {
  const first = lines.findIndex(line => line.trim() !== '')
  return lines.slice(first, lines.findLastIndex(line => line.trim() !== '') + 1)
}

const NAMED_LINK = /^\[([^\[\]\n]{1,500})\]\((https?:\/\/[^\s()<>]+(?:\([^\s()<>]*\)[^\s()<>]*)*)\)/u
const MARKS = [['**', 'bold'], ['__', 'bold'], ['~~', 'strike'], ['*', 'italic'], ['_', 'italic']]

/** The inlines of a text without block structure. */
export function parseInline(text, depth = 0) {
  const links = new Map(depth > MOST_DEPTH ? [] : linksIn(text).map(link => [link.start, link]))
  const nodes = []
  // Marks without an end: each is searched only once, so that a text of nothing but marks takes no quadratic time.
  const hopeless = new Set()
  let plain = ''
  const push = node => {
    if (plain !== '') { nodes.push(plain); plain = '' }
    nodes.push(node)
  }
  for (let at = 0; at < text.length;) {
    const link = links.get(at)
    if (link) {
      push({ kind: 'link', href: link.href, children: [text.slice(at, link.end)] })
      at = link.end
      continue
    }
    const span = spanAt(text, at, depth, hopeless)
    if (span) {
      push(span.node)
      at = span.end
    } else {
      plain += text[at]
      at += 1
    }
  }
  if (plain !== '') nodes.push(plain)
  return nodes
}

function spanAt(text, at, depth, hopeless) {
  const character = text[at]
  if (character === '`') return codeAt(text, at, hopeless)
  if (character === '[') {
    const match = text.slice(at, at + 3_000).match(NAMED_LINK)
    const href = match && webAddress(match[2])
    return href ? { node: { kind: 'link', href, children: [match[1]] }, end: at + match[0].length } : null
  }
  if (depth >= MOST_DEPTH || (character !== '*' && character !== '_' && character !== '~')) return null
  for (const [mark, kind] of MARKS) {
    if (!text.startsWith(mark, at) || hopeless.has(mark)) continue
    if (!canOpen(text, at, mark)) continue
    const end = closingOf(text, at + mark.length, mark)
    if (end < 0) { hopeless.add(mark); continue }
    const inner = text.slice(at + mark.length, end)
    return { node: { kind, children: parseInline(inner, depth + 1) }, end: end + mark.length }
  }
  return null
}

function codeAt(text, at, hopeless) {
  const mark = text.slice(at).match(/^`+/u)[0]
  if (hopeless.has(mark)) return null
  for (let end = text.indexOf(mark, at + mark.length); end >= 0; end = text.indexOf(mark, end + 1)) {
    if (text[end - 1] === '`' || text[end + mark.length] === '`') continue
    const inner = text.slice(at + mark.length, end)
    if (inner.includes('\n\n')) return null
    return { node: { kind: 'code', text: inner.replace(/^ (.*\S.*) $/su, '$1') }, end: end + mark.length }
  }
  hopeless.add(mark)
  return null
}

// Hangul is written on without a space behind a word: `**굵게**입니다`.
const isWord = character => character !== undefined && /[\p{L}\p{N}]/u.test(character) && !/\p{Script=Hangul}/u.test(character)
const isSpace = character => character === undefined || /\s/u.test(character)
/** Within a word these are characters: `snake_case`, `2*3*4`. */
const isWithinWord = (mark, neighbour) => (mark[0] === '_' || mark === '*') && isWord(neighbour)

function canOpen(text, at, mark) {
  const before = text[at - 1], after = text[at + mark.length]
  return !isSpace(after) && after !== mark[0] && before !== mark[0] && !isWithinWord(mark, before)
}

function closingOf(text, from, mark) {
  for (let at = text.indexOf(mark, from + 1); at >= 0; at = text.indexOf(mark, at + 1)) {
    const before = text[at - 1], after = text[at + mark.length]
    if (!isSpace(before) && before !== mark[0] && after !== mark[0] && !isWithinWord(mark, after)) return at
  }
  return -1
}

const BLOCKS = new Set(['paragraph', 'codeBlock', 'quote', 'list'])

/** The text of blocks or inlines, as it is read out or put on one line. */
export function textOf(nodes) {
  const texts = nodes.map(node => {
    if (typeof node === 'string') return node
    return node.text ?? (node.items ? node.items.map(textOf).join('\n') : textOf(node.children))
  })
  return texts.join(BLOCKS.has(nodes[0]?.kind) ? '\n' : '')
}

/** The addresses of all links, each once, in order. */
export function linksOf(nodes, found = new Set()) {
  for (const node of nodes) {
    if (typeof node === 'string') continue
    if (node.kind === 'link') found.add(node.href)
    for (const inner of node.items ?? [node.children ?? []]) linksOf(inner, found)
  }
  return [...found]
}
