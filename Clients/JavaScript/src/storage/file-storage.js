// A `ChatStorage` in a folder, for any number of processes at once. Each value is a file of its own, which is there whole
// or not at all: written beside its place, synchronised, renamed, and the folder synchronised as well. A `write` of several
// is first one file, the journal: once that has its name the changes are made, and what is read is what they say; whoever
// writes next finishes what a killed process left.

import { isUtf8 } from 'node:buffer'
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { open, readFile, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FileLocks } from './file-locks.js'
import { isFolderOfKeys, keyOf, pathOf } from './file-names.js'

/** The lock of those who change values. Its holder does nothing else: one that stands still is soon replaced. */
const WRITING = { name: '.write', standstillMs: 3_000, tries: 5 }

export class FileStorage {
  isLasting = true
  #values
  #journal
  #locks
  #held = new WeakMap()

  /** @param folder made on first use, with what is in it for the user alone */
  constructor(folder) {
    this.folder = folder
  }

  async get(key) {
    const journal = await this.#readJournal()
    if (journal?.has(key)) return journal.get(key)
    return await readText(join(this.#values, pathOf(key)))
  }

  async set(key, value) { await this.write([[key, value]]) }

  async delete(key) { await this.write([[key, undefined]]) }

  async keys(prefix = '') {
    // The journal first: what is finished between the two is then in one of them.
    const journal = await this.#readJournal()
    const keys = new Set()
    for (const path of await pathsBelow(this.#values)) keys.add(keyOf(path))
    keys.delete(undefined)
    for (const [key, value] of journal ?? []) {
      if (value === undefined) keys.delete(key)
      else keys.add(key)
    }
    return [...keys].filter(key => key.startsWith(prefix)).sort()
  }

  /** All or nothing, and on the disk once it returns. Fails with `LockLost` where the lock of `lost` was taken over. */
  async write(changes, { lost } = {}) {
    this.#open()
    const list = [...changes]
    if (list.length === 0) return
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#locks.exclusively(WRITING.name, lock => this.#writeUnder(lock, list, lost), WRITING)
      } catch (error) {
        if (error.name !== 'LockLost' || lost?.aborted || tries === WRITING.tries) throw error
      }
    }
  }

  /** See `KeptStorage.exclusively`. A process that is gone has its locks no more, one that stands still for 4 s neither. */
  async exclusively(name, work, options) {
    this.#open()
    return await this.#locks.exclusively(name, lock => {
      this.#held.set(lock.lost, lock)
      return work(lock.lost)
    }, options)
  }

  // Writing

  async #writeUnder(lock, changes, lost) {
    const verify = () => {
      lock.verify()
      if (lost) this.#held.get(lost)?.verify()
      lost?.throwIfAborted()
    }
    await this.#finishJournal(lock)
    if (changes.length === 1) return await this.#apply(changes, lock, verify)
    const text = JSON.stringify(changes.map(([key, value]) => value === undefined ? [key] : [key, value]))
    await stage(lock, 'journal', text)
    verify()
    renameStaged(lock.staged('journal'), this.#journal)
    await synchronise(dirname(this.#journal))
    // Made, from here on: what goes wrong now is finished by whoever writes next.
    await this.#finishJournal(lock).catch(() => {})
  }

  async #finishJournal(lock) {
    const changes = await this.#readJournal()
    if (!changes) return
    await this.#apply([...changes], lock, () => lock.verify())
    lock.verify()
    if (changes.size === 0) return renameSync(this.#journal, `${this.#journal}.broken`)
    // To a place that is gone with the lock, so that only its holder takes the journal away.
    renameStaged(this.#journal, lock.staged('done'))
    await synchronise(dirname(this.#journal))
  }

  async #apply(changes, lock, verify) {
    const folders = new Set()
    const staged = await Promise.all(changes.map(async ([key, value], index) => {
      const path = join(this.#values, pathOf(key))
      if (value !== undefined) await stage(lock, String(index), value)
      return { path, from: value === undefined ? undefined : lock.staged(String(index)) }
    }))
    // Without a pause: nobody takes the lock over between the look at it and the renaming.
    for (const { path, from } of staged) {
      verify()
      if (from) {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
        renameStaged(from, path)
      } else {
        rmSync(path, { force: true })
      }
      for (let folder = dirname(path); folder.startsWith(this.#values); folder = dirname(folder)) folders.add(folder)
    }
    await Promise.all([...folders].map(synchronise))
  }

  // Reading

  /** What is to be changed by a `write` that is made and not finished. */
  async #readJournal() {
    this.#open()
    const text = await readText(this.#journal)
    if (text === undefined) return undefined
    try {
      return new Map(JSON.parse(text).map(([key, value]) => [key, value]))
    } catch {
      // Damaged since. It is put aside by whoever writes next.
      return new Map()
    }
  }

  /** Once that is possible, and again where somebody has deleted the folder. */
  #open() {
    if (this.#locks && existsSync(this.#values)) return
    const folders = Object.fromEntries(['values', 'locks', 'journal'].map(name => [name, join(this.folder, name)]))
    for (const folder of Object.values(folders)) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      chmodSync(folder, 0o700)
    }
    this.#values = folders.values
    this.#journal = join(folders.journal, 'batch.json')
    this.#locks ??= new FileLocks(folders.locks)
  }
}

async function stage(lock, name, text) {
  const path = lock.staged(name)
  let file
  try {
    file = await open(path, 'w', 0o600)
    await file.writeFile(text)
    await file.sync()
  } catch (error) {
    throw isMissing(error) ? lockLost(lock, error) : error
  } finally {
    await file?.close()
  }
}

function renameStaged(from, to) {
  try { renameSync(from, to) } catch (error) { throw isMissing(error) ? Object.assign(error, { name: 'LockLost' }) : error }
}

function lockLost(lock, error) {
  lock.lose()
  return lock.lost.reason ?? error
}

async function readText(path) {
  let bytes
  try {
    bytes = await readFile(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw ['EISDIR', 'EIO'].includes(error.code) ? Object.assign(error, { isUnreadable: true }) : error
  }
  // No text that was ever written here: it must not be taken for one, and is not to get lost either.
  return isUtf8(bytes) ? bytes.toString('utf8') : '\0' + bytes.toString('latin1')
}

/** The paths of all files below, relative. */
async function pathsBelow(folder, prefix = '') {
  const paths = []
  for (const entry of await readdir(join(folder, prefix), { withFileTypes: true })) {
    if (entry.isFile()) paths.push(prefix + entry.name)
    else if (isFolderOfKeys(entry.name)) paths.push(...await pathsBelow(folder, `${prefix}${entry.name}/`))
  }
  return paths
}

/** Makes the names in a folder last. Some systems have no such thing. */
async function synchronise(folder) {
  let file
  try {
    file = await open(folder, 'r')
    await file.sync()
  } catch (error) {
    if (!['EISDIR', 'EPERM', 'EINVAL', 'ENOTSUP', 'EBADF'].includes(error.code)) throw error
  } finally {
    await file?.close()
  }
}

const isMissing = error => error.code === 'ENOENT'
