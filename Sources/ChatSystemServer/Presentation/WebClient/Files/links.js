// Finds web addresses in a text. What belongs to the sentence around an address is left out: full-width stops, Korean
// particles, brackets and quotes that were opened before the address.

const START = /\bhttps?:\/\//giu
/** Space, quotes, angle brackets, and the punctuation of Chinese, Japanese and Korean end an address. */
const END = /[\s<>"“”‘’«»‹›「」『』【】《》〈〉（）［］｛｝、。，．：；！？…・\u2066-\u2069\u202a-\u202e]/u
/** In a host name, Hangul may be part of the name; after the host a run of Hangul at the very end is a particle. */
const PARTICLE = /(?:에서는|에서도|에서|에게|으로는|으로도|으로|까지|부터|이라고|라고|이라는|라는|이라도|이나|이랑|처럼|보다|마다|밖에|조차|이에요|예요|입니다|인데|에는|에도|에|은|는|이|가|을|를|의|도|로|와|과|만|나|랑|요)$/u
const TRAILING = /[.,;:!?'*_~`]+$/u
const PAIRS = { ')': '(', ']': '[', '}': '{' }

/** The address if it is one of the web, else `null`: no `javascript:`, no `data:`. */
export function webAddress(text) {
  try {
    const url = new URL(String(text))
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null
  } catch {
    return null
  }
}

/** The addresses in a text, in order: `{start, end, href}`, as positions in the string. */
export function linksIn(text) {
  const found = []
  let from = 0
  for (const match of text.matchAll(START)) {
    if (match.index < from) continue
    const rest = text.slice(match.index)
    const end = rest.search(END)
    const address = withoutSentence(end < 0 ? rest : rest.slice(0, end))
    const href = webAddress(address)
    if (href === null || address.length <= match[0].length) continue
    from = match.index + address.length
    found.push({ start: match.index, end: from, href })
  }
  return found
}

/** Drops, from the end, what belongs to the sentence around the address. */
function withoutSentence(address) {
  for (;;) {
    const before = address
    address = address.replace(TRAILING, '')
    const last = address.at(-1)
    if (last in PAIRS && count(address, last) > count(address, PAIRS[last])) address = address.slice(0, -1)
    address = withoutParticle(address)
    if (address === before) return address
  }
}

/** A particle stands right behind letters, digits or a slash that are not Hangul: `https://example.com/a를`. */
function withoutParticle(address) {
  const hangul = address.match(/[\p{Script=Hangul}]+$/u)?.[0]
  if (!hangul || !PARTICLE.test(hangul) || hangul.match(PARTICLE)[0] !== hangul) return address
  return address.slice(0, -hangul.length)
}

const count = (text, mark) => text.split(mark).length - 1

const PICTURE = /\.(?:png|jpe?g|gif|webp|avif)$/iu
const VIDEO = /\.(?:mp4|webm|mov|m4v)$/iu

/** 'picture', 'video' or `null`: what an address shows, by its path. */
export function mediaKind(href) {
  try {
    const { pathname } = new URL(href)
    return PICTURE.test(pathname) ? 'picture' : VIDEO.test(pathname) ? 'video' : null
  } catch {
    return null
  }
}
