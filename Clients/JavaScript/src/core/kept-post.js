// What the store holds of posts, and what follows from it. Pure.

/** How many stored posts the store remembers, and how many discarded ones. */
export const MOST_DONE = 100

/** What the store holds of a post, as JSON. */
export const keptPost = ({ key, roomId, messageType, payload, replyToMessageId, createdAt, state, isTried, error, isCertain }) => ({
  key, roomId, messageType, payload, replyToMessageId, createdAt, isTried,
  ...state === 'refused' ? { state, error, isCertain } : { state: 'queued' },
})

export const isKeptPost = post => typeof post?.key === 'string' && typeof post.roomId === 'string' && post.payload !== undefined

/** Where the store holds a post. */
export const postKey = (number, key) => `outbox/${String(number).padStart(12, '0')}/${encodeURIComponent(key)}`
export const numberOf = key => Number(key.split('/')[1])

export function keyOf(key) {
  try { return decodeURIComponent(key.split('/')[2]) } catch { return key }
}

/** Whether no attempt is under way, nor one that may have been stored. */
export const isOpen = ({ state, isTried }) => state === 'refused' || (state === 'new' || state === 'queued') && !isTried

/** The last entry of a key in the list of posts that have left the store. */
export const outcomeOf = (key, done) => done.findLast(entry => entry.key === key)

/** Whether so many posts have left the store that the outcome of one that has no `entry` in `done` may be forgotten. */
export const isForgotten = (entry, done) => !entry && done.length >= MOST_DONE

export const isSameContent = (a, b) => a.roomId === b.roomId && a.messageType === b.messageType
  && (a.replyToMessageId ?? null) === (b.replyToMessageId ?? null) && isSameJSON(a.payload, b.payload)

/** Whether two JSON values are the same data; the order of keys does not count. */
export function isSameJSON(a, b) {
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return a === b
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = object => Object.keys(object).filter(key => object[key] !== undefined)
  return keys(a).length === keys(b).length && keys(a).every(key => isSameJSON(a[key], b[key]))
}

/**
 * Makes changes of kept posts, in order, each on what those before it have left:
 *
 * - `{key, add: post}`: at the end, where the key is not there.
 * - `{key, put: post, isLast}`: in its place, or at the end with `isLast`.
 * - `{key, remove: message}`: it was stored; `null`: it was given up; `false`: likewise, and it was never kept.
 *
 * With `ifOpen` (the post before the change), as in every edit and discard, only where no attempt was begun.
 *
 * @param kept `{numbers, posts, done, isUnreadable}`: the place and the post by key, and the posts that left; all are changed
 * @returns `{answers, pairs}`. The pairs are what to write: keys of the store and values, `undefined` where it is deleted.
 *   The answers are `{}`; `{known: post}` where an added key was there; `{payload}`, the one that counts, of one put;
 *   `{isTried: true}` where an attempt was begun, or it was settled longer ago than is remembered and is there again;
 *   `{isGone: true, message?}` where the key was not there
 */
export function changePosts({ numbers, posts, done, isUnreadable }, changes) {
  const pairs = new Map()
  const place = key => postKey(numbers.get(key), key)

  const write = (key, post) => {
    pairs.set(place(key), post)
    posts.set(key, post)
  }

  const append = (key, post) => {
    numbers.set(key, 1 + [...numbers.values()].reduce((most, number) => Math.max(most, number), 0))
    write(key, post)
    return {}
  }

  /** A change of a post that another process has settled. */
  const settled = (key, before) => {
    const message = outcomeOf(key, done)
    if (!isForgotten(message, done)) return { isGone: true, message }
    // It may be stored: it is there again, as it was and as one that was tried. One that was given up is not.
    if (before) append(key, { ...before, isTried: true, isCertain: false })
    return { isTried: true }
  }

  const answers = changes.map(({ key, add, put, isLast, remove, ifOpen }) => {
    const post = posts.get(key)
    if (ifOpen && post && !pairs.has(place(key)) && !isOpen(post)) return { isTried: true }
    if (add) return post ? { known: post } : append(key, add)
    // A storage that cannot be read is not empty.
    const isGone = !post && !(isUnreadable && numbers.has(key))
    if (isGone && (put || ifOpen || remove === null)) return settled(key, ifOpen ?? put)
    if (remove !== undefined) {
      done.push({ key, ...remove })
      pairs.set('done', [...done.filter(post => !post.seq).slice(-MOST_DONE), ...done.filter(post => post.seq).slice(-MOST_DONE)])
      if (numbers.has(key)) write(key)
      numbers.delete(key)
      return {}
    }
    // Another process may have edited it.
    const edited = post && !ifOpen ? { payload: post.payload } : {}
    put = { ...put, ...edited }
    write(key, isLast ? undefined : put)
    if (isLast) append(key, put)
    return edited
  })
  return { answers, pairs }
}
