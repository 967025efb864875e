// What a key does where messages are written, and what may be sent. Pure.

/** The longest text, in Unicode scalars, as servers count. */
export const MOST_CHARACTERS = 8_000
const COUNTED_FROM = MOST_CHARACTERS - 500

/**
 * What a key press means: 'send', 'cancel', 'editLast' or `null` (the browser's default), with input methods in mind.
 * Enter confirms a composition and neither sends nor breaks the line. Chromium and Firefox say `isComposing`; Safari
 * ends the composition first and then reports the key with code 229.
 */
export class ComposerKeys {
  #isConfirming = false

  /** @param hasEnterKeyToSend false on phones, where Enter breaks the line and a button sends */
  constructor({ hasEnterKeyToSend = true } = {}) { this.hasEnterKeyToSend = hasEnterKeyToSend }

  keyDown({ key, keyCode, isComposing, shiftKey, ctrlKey, metaKey, altKey }, { isEmpty, isAbout }) {
    const isMethod = isComposing || keyCode === 229
    this.#isConfirming = isMethod && (key === 'Enter' || keyCode === 229) && !shiftKey
    if (isMethod) return null
    if (key === 'Enter') {
      if (ctrlKey || metaKey) return 'send'
      return this.hasEnterKeyToSend && !shiftKey && !altKey ? 'send' : null
    }
    if (key === 'Escape' && isAbout) return 'cancel'
    const isPlain = !shiftKey && !ctrlKey && !metaKey && !altKey
    return key === 'ArrowUp' && isPlain && isEmpty && !isAbout ? 'editLast' : null
  }

  keyUp() { this.#isConfirming = false }

  /** Whether an input is the line break of the Enter that confirmed a composition: Hangul methods hand it on. */
  refuses({ inputType }) {
    return this.#isConfirming && (inputType === 'insertLineBreak' || inputType === 'insertParagraph')
  }
}

/** Unicode scalars: an emoji may have several, a surrogate pair is one. */
export function scalarCount(text) {
  let count = text.length
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    if (unit >= 0xd800 && unit < 0xdc00) count -= 1
  }
  return count
}

/** The text as it is sent: empty lines around it and spaces at its end are dropped, spaces at its beginning stay. */
export const sendableText = text => text.toWellFormed?.().replace(/^(?:[^\S\n]*\n)+/u, '').trimEnd()
  ?? text.replace(/^(?:[^\S\n]*\n)+/u, '').trimEnd()

/** `{left, isTooLong}`; `left` is `null` while it is of no interest. */
export function lengthState(text) {
  if (text.length < COUNTED_FROM) return { left: null, isTooLong: false }
  const left = MOST_CHARACTERS - scalarCount(sendableText(text))
  return { left: left <= MOST_CHARACTERS - COUNTED_FROM ? left : null, isTooLong: left < 0 }
}

/** The `:name` that is being written before the cursor: `{start, query}`, or `null`. */
export function emojiQuery(text, cursor) {
  const match = text.slice(Math.max(0, cursor - 32), cursor).match(/(?:^|[\s(])(:([\p{L}\p{N}_+-]{2,24}))$/u)
  return match ? { start: cursor - match[1].length, query: match[2].toLowerCase() } : null
}

/** Replaces the `:name:` that the cursor has just closed: `{text, cursor}`, or `null`. */
export function closedEmoji(text, cursor, find) {
  const match = text.slice(Math.max(0, cursor - 34), cursor).match(/(?:^|[\s(])(:([\p{L}\p{N}_+-]{1,24}):)$/u)
  const emoji = match && find(match[2].toLowerCase())
  if (!emoji) return null
  const start = cursor - match[1].length
  return { text: text.slice(0, start) + emoji + text.slice(cursor), cursor: start + emoji.length }
}

/** When `typing` is sent: at most every 4 s while text is entered, and once when that ends. */
export class TypingSignal {
  #saidAt = -Infinity

  /** The text has changed. Returns `true`, `false` or `undefined` (nothing to say). */
  change(isEmpty, now) {
    if (isEmpty) return this.end()
    if (now - this.#saidAt < 4_000) return undefined
    this.#saidAt = now
    return true
  }

  end() {
    if (this.#saidAt === -Infinity) return undefined
    this.#saidAt = -Infinity
    return false
  }
}
