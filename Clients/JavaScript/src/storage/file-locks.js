// Locks between processes, as folders. The lock `name` is held by the owner of the folder `name.N` with the highest
// number:
//
// - It is acquired by renaming a prepared folder to the next number, which only one process can do.
// - It is released by renaming the folder to `name.N.free`; the same process acquires it again by another renaming.
// - If its process has ended or hangs, the lock is taken over with the next number. The previous folder is removed at
//   once, and with it the files in it that were still to be renamed to their places, so a process that hung writes
//   nothing more.
//
// A number is not used again, or is found beside a higher one: the process that took it then gives way.
//
// A process that waits for a lock that changes hands touches the file `name.wanted`. A process that has released the
// lock and wants it again then lets others go first: otherwise a busy process would leave them only what their polling
// hits.

import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, renameSync, mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { encode } from './file-names.js'
import { MemoryStorage, lostLock } from './memory-storage.js'

const SIGN_OF_LIFE_MS = 500
const POLL_MS = 5
const LONGEST_POLL_MS = 50
/** Longer than any pause between two looks at a lock. */
const GIVE_WAY_MS = 100
/** Left by a process that ended while it made a lock. */
const UNFINISHED_MS = 60_000

export class FileLocks {
  /** The order within the process. */
  #local = new MemoryStorage()
  #made = 0
  /** name → the released folder of this process. */
  #givenBack = new Map()
  /** name → when somebody who waited for it was last seen. */
  #waitingSeen = new Map()

  /** @param folder there already */
  constructor(folder) {
    this.folder = folder
    for (const name of readdirSync(folder)) if (isOldAndUnfinished(folder, name)) remove(join(folder, name))
  }

  /**
   * Runs `work(lock)` as `KeptStorage.exclusively` does, where `lock` is a `FileLock`.
   * @param standstillMs how long a process may show no sign of life
   */
  async exclusively(name, work, { ifAvailable = false, steal = false, signal, standstillMs = 4_000 } = {}) {
    return await this.#local.exclusively(name, async lost => {
      const lock = await this.#take(fileNameOf(name), { ifAvailable, steal, signal, lost, standstillMs })
      if (!lock) return undefined
      const end = () => lock.lose()
      lost.addEventListener('abort', end, { once: true })
      try {
        return await work(lock)
      } finally {
        lost.removeEventListener('abort', end)
        this.#givenBack.set(fileNameOf(name), lock.release())
      }
    }, { ifAvailable, steal, signal })
  }

  async #take(name, { ifAvailable, steal, signal, lost, standstillMs }) {
    const watch = new Watch(standstillMs)
    let wanted, waysEnd
    for (let pause = POLL_MS; ; pause = Math.min(pause * 1.5, LONGEST_POLL_MS)) {
      signal?.throwIfAborted()
      lost.throwIfAborted()
      const last = highest(this.#numbersOf(name))
      if (!steal && this.#isGivenBack(name, last)) {
        waysEnd ??= this.#isWanted(name) ? performance.now() + GIVE_WAY_MS : 0
        if (performance.now() < waysEnd) {
          await sleep(POLL_MS, signal)
          continue
        }
      }
      if (!last || last.isFree || steal || isGone(ownerOf(last.path)) || watch.standsStill(last.path, pause)) {
        const lock = this.#takeNumber(name, (last?.number ?? 0) + 1, last)
        if (lock) return lock
        pause = POLL_MS
      }
      if (ifAvailable) return undefined
      // A lock that changes hands is soon free; for one that is held for long the file is not touched with each poll.
      if (wanted !== last?.number) {
        this.#want(name)
        pause = POLL_MS
      }
      wanted = last?.number
      await sleep(pause * (0.5 + Math.random()), signal)
    }
  }

  #takeNumber(name, number, last) {
    const path = join(this.folder, `${name}.${number}`)
    const isOwn = this.#isGivenBack(name, last)
    const finished = isOwn ? last.path : this.#makeFolder()
    try {
      renameSync(finished, path)
    } catch (error) {
      if (!isOwn) remove(finished)
      if (['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EPERM', 'ENOTDIR'].includes(error.code)) return undefined
      throw error
    }
    const others = this.#numbersOf(name).filter(other => other.path !== path)
    if (others.some(other => other.number >= number)) {
      remove(path, this.#unfinished())
      return undefined
    }
    for (const other of others) remove(other.path, this.#unfinished())
    return new FileLock(path)
  }

  #isGivenBack(name, last) { return Boolean(last?.isFree) && this.#givenBack.get(name) === last.path }

  /** Shows others that this process waits. */
  #want(name) {
    const path = join(this.folder, `${name}.wanted`)
    try {
      writeFileSync(path, '', { mode: 0o600 })
      this.#waitingSeen.set(name, stat(path)?.mtimeMs)
    } catch { /* The others may then not give way. */ }
  }

  /** Whether another process has shown that it waits since the last check. */
  #isWanted(name) {
    const seenAt = stat(join(this.folder, `${name}.wanted`))?.mtimeMs
    if (seenAt === undefined || seenAt === this.#waitingSeen.get(name)) return false
    this.#waitingSeen.set(name, seenAt)
    return true
  }

  #makeFolder() {
    const folder = this.#unfinished()
    mkdirSync(folder, { mode: 0o700 })
    writeFileSync(join(folder, 'owner'), JSON.stringify(self), { mode: 0o600 })
    return folder
  }

  #unfinished() { return join(this.folder, `~${process.pid}.${Date.now().toString(36)}.${this.#made++}`) }

  #numbersOf(name) {
    const found = []
    for (const entry of readdirSync(this.folder)) {
      if (!entry.startsWith(`${name}.`)) continue
      const [, number, free] = /^(\d+)(\.free)?$/.exec(entry.slice(name.length + 1)) ?? []
      if (number) found.push({ number: Number(number), isFree: free !== undefined, path: join(this.folder, entry) })
    }
    return found
  }
}

/** A lock that this process has taken. */
export class FileLock {
  #path
  #loss = new AbortController()
  #timer

  constructor(path) {
    this.#path = path
    this.#timer = setInterval(() => this.#showLife(), SIGN_OF_LIFE_MS)
    this.#timer.unref()
  }

  get lost() { return this.#loss.signal }

  /** The path for a file that is to be renamed to its place, which fails once the lock was taken over. */
  staged(name) { return join(this.#path, name) }

  /** Throws `LockLost` where another has it. */
  verify() {
    if (!this.#loss.signal.aborted && !stat(join(this.#path, 'owner'))) this.lose()
    this.#loss.signal.throwIfAborted()
  }

  lose() {
    clearInterval(this.#timer)
    this.#loss.abort(lostLock())
  }

  /**
   * Returns the released folder; `undefined` if the lock was lost or the disk failed: others then find that it is
   * stale.
   */
  release() {
    clearInterval(this.#timer)
    if (this.#loss.signal.aborted) return undefined
    try {
      renameSync(this.#path, `${this.#path}.free`)
      return `${this.#path}.free`
    } catch {
      return undefined
    }
  }

  #showLife() {
    try {
      const now = new Date()
      utimesSync(join(this.#path, 'owner'), now, now)
    } catch (error) {
      if (error.code === 'ENOENT') this.lose()
    }
  }
}

/** Whether a lock has shown no sign of life for some time; only time in which this process itself was running counts. */
class Watch {
  #seen
  #unchangedMs = 0
  #lookedAt = performance.now()

  constructor(standstillMs) { this.standstillMs = standstillMs }

  standsStill(path, pause) {
    const now = performance.now()
    const passed = Math.min(now - this.#lookedAt, pause * 4)
    this.#lookedAt = now
    const sign = `${path} ${stat(join(path, 'owner'))?.mtimeMs}`
    this.#unchangedMs = sign === this.#seen ? this.#unchangedMs + passed : 0
    this.#seen = sign
    return this.#unchangedMs >= this.standstillMs
  }
}

/** Identifies this process: its id alone may have been reused, or belong to another container. */
const self = { pid: process.pid, started: processState(process.pid)?.started, place: place() }

/** Whether the owner's process is known to have ended, which is unknown for a process of another machine. */
function isGone(owner) {
  if (!owner || owner.place !== self.place) return false
  const state = processState(owner.pid)
  if (state) return state.isDead || state.started !== owner.started
  try {
    process.kill(owner.pid, 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

function ownerOf(path) {
  try { return JSON.parse(readFileSync(join(path, 'owner'), 'utf8')) } catch { return undefined }
}

/** The state from /proc; `undefined` on systems without it. */
function processState(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { isDead: 'ZX'.includes(fields[0]), started: fields[19] }
  } catch {
    return undefined
  }
}

/** Within one such place a process id belongs to one process. */
function place() {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${hostname()} ${boot} ${statSync('/proc/self/ns/pid').ino}`
  } catch {
    return hostname()
  }
}

/** A file's name has 255 bytes at most. */
function fileNameOf(name) {
  const encoded = encode(name)
  return encoded.length <= 150 ? encoded : createHash('sha256').update(name).digest('hex')
}

const highest = found => found.reduce((most, next) =>
  !most || next.number > most.number || (next.number === most.number && !next.isFree) ? next : most, undefined)

function isOldAndUnfinished(folder, name) {
  return name.startsWith('~') && Date.now() - (stat(join(folder, name))?.mtimeMs ?? Infinity) > UNFINISHED_MS
}

const stat = path => statSync(path, { throwIfNoEntry: false })

/** Renames the folder first, so that at one moment no file in it can be renamed to its place any more. */
function remove(path, aside) {
  try {
    if (aside) renameSync(path, aside)
  } catch (error) {
    if (error.code === 'ENOENT') return
    throw error
  }
  rmSync(aside ?? path, { recursive: true, force: true })
}

function sleep(milliseconds, signal) {
  return new Promise(resolve => {
    const end = () => { clearTimeout(timer); signal?.removeEventListener('abort', end); resolve() }
    const timer = setTimeout(end, milliseconds)
    signal?.addEventListener('abort', end, { once: true })
  })
}
