// A `ChatStorage` in a folder, for any number of processes at once. Each value is a file that is replaced as a whole:
// written beside its place, synchronised and renamed; then the folder is synchronised. A `write` of several values is
// first one file, the journal: once it has its name the write is committed and visible to readers. The next writer
// finishes what a killed process left.

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

  /** See `KeptStorage.exclusively`. A process that has ended, or hangs for 4 s, loses its locks. */
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
    // Committed from here on: if the rest fails, the next writer finishes it.
    await this.#finishJournal(lock).catch(() => {})
  }

  async #finishJournal(lock) {
    const changes = await this.#readJournal()
    if (!changes) return
    await this.#apply([...changes], lock, () => lock.verify())
    lock.verify()
    if (changes.size === 0) return renameSync(this.#journal, `${this.#journal}.broken`)
    // Into the lock's folder, so that only the lock's holder can remove the journal.
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
    // Synchronous: the lock cannot be taken over between the check and the renaming.
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

  /** The changes of a `write` that is committed but not finished. */
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
  // Not written by this class. It must not pass for a value, and must not be lost either.
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

/** Makes the entries of a folder durable, on systems that support it. */
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
