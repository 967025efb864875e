// Display names of people and rooms. A name is user input: marks that change the text direction are removed, names are
// isolated from the text around them, and a blank name is replaced.

/** Marks of direction (Unicode TR9), which would turn the rest of the line, and control characters. */
const DIRECTION = /[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\p{Cc}]/gu
/** Invisible characters: blanks, fillers, joiners, tags. */
const INVISIBLE = /[\s\p{Zs}\p{Cf}\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu

/** A name as it is shown, else `fallback`. */
export function shownName(name, fallback) {
  const text = String(name ?? '').replace(DIRECTION, '').trim()
  return text.replace(INVISIBLE, '') === '' ? fallback : text
}

/** A name within a sentence, isolated from the direction of the rest. */
export const isolated = name => `\u2068${name}\u2069`

const graphemes = typeof Intl.Segmenter === 'function' ? new Intl.Segmenter(undefined, { granularity: 'grapheme' }) : null

/** The first `count` characters as a reader counts them: no emoji is cut into halves. */
export function firstCharacters(text, count) {
  if (text.length <= count) return text
  if (!graphemes) return [...text].slice(0, count).join('')
  let end = 0, seen = 0
  // A prefix is enough: a grapheme of more than 24 code units is an abuse.
  for (const { index, segment } of graphemes.segment(text.slice(0, count * 24))) {
    if (seen === count) return text.slice(0, index)
    seen += 1
    end = index + segment.length
  }
  return text.slice(0, end)
}

/** One line of at most `most` characters. */
export function oneLine(text, most = 140) {
  const line = text.slice(0, most * 24).replace(/\s+/gu, ' ').trim()
  const short = firstCharacters(line, most)
  return short.length < line.length ? `${short}…` : short
}

/** One or two letters for the picture of a person or a room. */
export function initials(name) {
  const words = name.split(/[\s._-]+/u).filter(word => /[\p{L}\p{N}\p{Emoji_Presentation}]/u.test(word))
  if (words.length === 0) return firstCharacters(name, 1)
  const first = word => firstCharacters(word.replace(/^[^\p{L}\p{N}\p{Emoji_Presentation}]+/u, ''), 1).toUpperCase()
  // A Korean name is its last two syllables; other scripts without case have one sign.
  if (/^\p{Script=Hangul}{2,4}$/u.test(words[0])) return words[0].slice(-2)
  if (words.length === 1 || !/^\p{L}/u.test(words[1])) return first(words[0])
  return first(words[0]) + first(words.at(-1))
}

/** How many colours `style.css` has for `.tone-0` and so on. */
export const TONES = 12

/** The colour of a name or an id: always the same one. */
export function tone(text) {
  let hash = 2_166_136_261
  for (const character of String(text)) hash = Math.imul(hash ^ character.codePointAt(0), 16_777_619)
  return (hash >>> 0) % TONES
}
