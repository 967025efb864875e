// `room.file(id)`: metadata of files, for pages that show them. Requests in one turn of the event loop share one call;
// results are cached for as long as their URLs stay the same.

/** Servers return the same URL for half an hour, and it is valid for at least an hour. */
const KEPT_MS = 30 * 60_000
const MOST_KEPT = 2_000
/** Of one call. */
const MOST_IDS = 100
/** One instance per chat, by the object that its rooms share. */
const byRest = new WeakMap()

/**
 * @param options `{fresh}`: not what is kept, for an address that has proved stale
 * @returns {Promise<object | undefined>} nothing where there is no such file for this user
 */
export function fileOf(room, chat, id, { fresh = false } = {}) {
  if (!byRest.has(chat.rest)) byRest.set(chat.rest, new FileInfos(chat))
  return byRest.get(chat.rest).get(String(id), fresh)
}

export class FileInfos {
  #chat
  #now
  #kept = new Map()
  /** What waits for the next call: `{id, resolve, reject}`. */
  #waiting = []

  constructor(chat, now = Date.now) {
    this.#chat = chat
    this.#now = now
  }

  get(id, isFresh) {
    const kept = this.#kept.get(id)
    // A pending request is fresh enough.
    if (kept && this.#now() < kept.until && (kept.isAsked || !isFresh)) return kept.info
    const entry = { until: this.#now() + KEPT_MS, isAsked: true }
    entry.info = new Promise((resolve, reject) => {
      if (this.#waiting.push({ id, resolve, reject }) === 1) setTimeout(() => this.#ask())
    })
    entry.info.then(() => { entry.isAsked = false }, () => { if (this.#kept.get(id) === entry) this.#kept.delete(id) })
    this.#kept.delete(id)
    this.#kept.set(id, entry)
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value)
    return entry.info
  }

  #ask() {
    const waiting = this.#waiting.splice(0)
    for (let first = 0; first < waiting.length; first += MOST_IDS) this.#call(waiting.slice(first, first + MOST_IDS))
  }

  async #call(asked) {
    const { rest, error } = this.#chat
    try {
      // Addresses are paths of the message server, wherever that is.
      const api = await rest.call('messages', 'GET', '', { once: async (_, url) => url })
      const answer = await rest.call('messages', 'GET', '/files', { query: { ids: asked.map(({ id }) => id).join() } })
      if (!Array.isArray(answer?.items)) throw Object.assign(error('protocol', 'The response is not a list'), { isTemporary: true })
      const at = path => path === undefined ? undefined : api.replace(/\/api\/v1$/, '') + path
      const found = new Map(answer.items.map(item => [item.fileId, Object.freeze({
        ...item, url: at(item.url), ...item.thumbnailUrl !== undefined && { thumbnailUrl: at(item.thumbnailUrl) },
      })]))
      for (const { id, resolve } of asked) resolve(found.get(id))
    } catch (failure) {
      for (const { reject } of asked) reject(failure)
    }
  }
}
