import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, afterEach, beforeEach, describe, it, mock } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FileStorage } from '../../src/node.js'
import { FileLocks } from '../../src/storage/file-locks.js'
import { KeptStorage } from '../../src/storage/kept-storage.js'

const PROCESS = fileURLToPath(new URL('file-storage-process.js', import.meta.url))
/** How often a process is killed; CHAT_KILLS=200 takes minutes. */
const KILLS = Number(process.env.CHAT_KILLS ?? 20)

let folder
const running = new Set()

beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'chat-files-')) })
afterEach(() => rm(folder, { recursive: true, force: true }))
after(() => { for (const child of running) child.kill('SIGKILL') })

/** A process on the folder: `line()` is the next thing it says. */
function start(task, name = '') {
  const child = spawn(process.execPath, [PROCESS, folder, task, name], { stdio: ['pipe', 'pipe', 'inherit'] })
  running.add(child)
  const ended = once(child, 'exit').finally(() => running.delete(child))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    child,
    ended,
    line: async () => (await lines.next()).value,
    async rest() { const all = []; for await (const line of lines) all.push(line); return all }
  }
}

describe('values in files', () => {
  it('are there for the next object on the folder, and for the user alone', async () => {
    await new FileStorage(folder).write([['v1/outbox/A', '"ä"'], ['v1/outbox/a', '2']])
    const storage = new FileStorage(folder)
    assert.deepEqual(await storage.keys('v1/'), ['v1/outbox/A', 'v1/outbox/a'])
    assert.equal(await storage.get('v1/outbox/A'), '"ä"')
    assert.equal(await storage.get('v1/outbox/b'), undefined)
    for (const name of ['values', 'locks', 'journal']) assert.equal((await stat(join(folder, name))).mode & 0o777, 0o700)
    for (const name of await readdir(join(folder, 'values'))) {
      assert.equal((await stat(join(folder, 'values', name))).mode & 0o777, 0o600)
    }
  })

  it('have any key', async () => {
    const keys = ['', '.', '..', '../x', 'a/b', 'a', 'A', 'x'.repeat(1000), 'ä'.repeat(300), 'con', '~', '%41', '%', 'a\0b', '😀']
    const storage = new FileStorage(folder)
    await storage.write(keys.map((key, index) => [key, String(index)]))
    assert.deepEqual(await storage.keys(), [...keys].sort())
    for (const [index, key] of keys.entries()) assert.equal(await storage.get(key), String(index), key)
    await storage.write(keys.map(key => [key, undefined]))
    assert.deepEqual(await storage.keys(), [])
  })

  it('that others have left in the folder are none', async () => {
    const storage = new FileStorage(folder)
    await storage.set('a', '1')
    await writeFile(join(folder, 'values', 'README'), 'x')
    await writeFile(join(folder, 'values', 'A.json'), 'x')
    await mkdir(join(folder, 'values', 'more'))
    assert.deepEqual(await storage.keys(), ['a'])
  })

  it('that are no text are put aside with all their bytes', async () => {
    const broken = []
    const storage = new FileStorage(folder)
    const kept = new KeptStorage(storage, { isPrecious: () => true, onBroken: (key, keptAs) => broken.push(keptAs) })
    await kept.set('outbox/a', { text: 'x' })
    await writeFile(join(folder, 'values', 'outbox%2fa.json'), Buffer.from([0x22, 0xff, 0x22]))
    assert.equal(await kept.get('outbox/a'), undefined)
    assert.equal(await storage.get(broken[0]), '\0"\xff"')
    await kept.close()
  })

  it('are written as soon as the folder can be made', async () => {
    await writeFile(join(folder, 'file'), '')
    const storage = new FileStorage(join(folder, 'file', 'below'))
    await assert.rejects(storage.set('a', '1'), { code: 'ENOTDIR' })
    await rm(join(folder, 'file'))
    await storage.set('a', '1')
    assert.equal(await storage.get('a'), '1')
  })

  it('of a batch that was cut off after it had its journal are read and finished', async () => {
    const storage = new FileStorage(folder)
    await storage.write([['a', '1'], ['b', '1'], ['c', '1']])
    await writeFile(join(folder, 'journal', 'batch.json'), JSON.stringify([['a', '2'], ['b'], ['d', '2']]))
    const next = new FileStorage(folder)
    assert.deepEqual(await next.keys(), ['a', 'c', 'd'])
    assert.equal(await next.get('a'), '2')
    assert.equal(await next.get('b'), undefined)
    await next.set('a', '3')
    assert.equal(await next.get('a'), '3')
    assert.deepEqual(await next.keys(), ['a', 'c', 'd'])
    assert.deepEqual(await readdir(join(folder, 'journal')), [])
  })

  it('of a batch whose journal is damaged are as they were, and it is put aside', async () => {
    const storage = new FileStorage(folder)
    await storage.write([['a', '1'], ['b', '1']])
    await writeFile(join(folder, 'journal', 'batch.json'), '[["a","2"],["b"')
    assert.equal(await storage.get('a'), '1')
    await storage.write([['a', '3'], ['b', '3']])
    assert.deepEqual([await storage.get('a'), await storage.get('b')], ['3', '3'])
    assert.deepEqual(await readdir(join(folder, 'journal')), ['batch.json.broken'])
  })

  it('can be kept again after somebody has deleted the folder', async () => {
    const storage = new FileStorage(folder)
    await storage.write([['a', '1'], ['b', '1']])
    await storage.exclusively('step', async lost => {
      await rm(folder, { recursive: true })
      await assert.rejects(storage.write([['a', '2'], ['b', '2']], { lost }), { name: 'LockLost' })
    })
    assert.deepEqual(await storage.keys(), [])
    await storage.exclusively('step', lost => storage.write([['a', '2'], ['b', '2']], { lost }))
    assert.equal(await storage.get('a'), '2')
  })

  it('that cannot be written are kept in memory, and written once they can be', async () => {
    const failures = []
    const kept = new KeptStorage(new FileStorage(folder), { onFailure: error => failures.push(error.code) })
    await kept.write([['rooms/a', 1], ['rooms/b', 1]])
    await rename(join(folder, 'values'), join(folder, 'away'))
    await writeFile(join(folder, 'values'), '')
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      // A batch has its journal, and is kept with that alone; not so what comes after it.
      await kept.write([['rooms/a', 2], ['rooms/c', 2]])
      assert.deepEqual([await kept.get('rooms/a'), kept.isLasting], [2, true])
      await kept.write([['rooms/a', 3], ['rooms/b', 3]])
      assert.deepEqual([await kept.get('rooms/a'), kept.isLasting, failures.length], [3, false, 1])
      await rm(join(folder, 'values'))
      await rename(join(folder, 'away'), join(folder, 'values'))
      mock.timers.tick(30_000)
    } finally {
      mock.timers.reset()
    }
    while (!kept.isLasting) await new Promise(setImmediate)
    const storage = new FileStorage(folder)
    assert.deepEqual(await Promise.all(['a', 'b', 'c'].map(name => storage.get(`rooms/${name}`))), ['3', '3', '2'])
    await kept.close()
  })

  it('written at the same time by many are all there', async () => {
    const storages = [new FileStorage(folder), new FileStorage(folder), new FileStorage(folder)]
    await Promise.all(Array.from({ length: 30 }, (_, index) => storages[index % 3].set(`a/${index}`, String(index))))
    assert.equal((await storages[0].keys('a/')).length, 30)
  })
})

describe('locks in files', () => {
  it('are one at a time among objects of one process, too', async () => {
    const storages = [new FileStorage(folder), new FileStorage(folder)]
    let inside = 0
    let most = 0
    await Promise.all(Array.from({ length: 20 }, (_, index) => storages[index % 2].exclusively('step', async () => {
      most = Math.max(most, inside += 1)
      await storages[0].keys()
      inside -= 1
    })))
    assert.equal(most, 1)
    assert.equal(await storages[0].exclusively('step', () => storages[1].exclusively('step', () => 1, { ifAvailable: true })),
      undefined)
  })

  it('waiting ends with the signal', async () => {
    const storages = [new FileStorage(folder), new FileStorage(folder)]
    const giving = new AbortController()
    await storages[0].exclusively('step', async () => {
      const waiting = storages[1].exclusively('step', () => assert.fail('was given up'), { signal: giving.signal })
      giving.abort(new Error('enough'))
      await assert.rejects(waiting, /enough/)
    })
  })

  it('can be stolen, and whoever had it writes no more', async () => {
    const storages = [new FileStorage(folder), new FileStorage(folder)]
    const losing = storages[0].exclusively('step', async lost => {
      await storages[1].exclusively('step', lost => storages[1].write([['a', '1'], ['b', '1']], { lost }), { steal: true })
      await storages[0].write([['a', '2'], ['b', '2']], { lost })
    })
    await assert.rejects(losing, { name: 'LockLost' })
    assert.equal(await storages[0].get('a'), '1')
  })

  it('of a killed process are free at once', async () => {
    const holder = start('hold')
    assert.equal(await holder.line(), 'held')
    holder.child.kill('SIGKILL')
    await holder.ended
    // Never taken from a process that stands still, only from one that is gone.
    const rules = { standstillMs: Infinity, signal: AbortSignal.timeout(30_000) }
    await new FileLocks(join(folder, 'locks')).exclusively('step', () => {}, rules)
  })

  it('of a process that stands still are free within 5 s, and it writes nothing once it goes on', async () => {
    const holder = start('hold', 'late')
    assert.equal(await holder.line(), 'held')
    holder.child.kill('SIGSTOP')
    const storage = new FileStorage(folder)
    const since = performance.now()
    await storage.exclusively('step', lost => storage.write([['value', 'here'], ['other', 'here']], { lost }))
    const took = performance.now() - since
    holder.child.stdin.write('go\n')
    holder.child.kill('SIGCONT')
    assert.equal(await holder.line(), 'LockLost')
    assert.equal(await storage.get('value'), 'here')
    assert.ok(took > 3_000 && took < 15_000, `${took} ms`)
  })

  it('that a process wants again and again go to others in between', async () => {
    const counter = start('count')
    await counter.line()
    const storage = new FileStorage(folder)
    const count = async () => Number(await storage.get('count/a') ?? 0)
    const waited = []
    for (let turn = 0; turn < 20; turn += 1) {
      const before = await count()
      waited.push(await storage.exclusively('step', count) - before)
    }
    counter.child.kill('SIGKILL')
    await counter.ended
    // Not the sum: this process may stand still for a while, in which the other goes on.
    const median = waited.toSorted((a, b) => a - b)[10]
    assert.ok(median <= 3, `${waited} steps of the other process while this one waited`)
  })

  it('of a process that works are its own for as long as it likes', async () => {
    const holder = start('hold', 'holder')
    assert.equal(await holder.line(), 'held')
    const storage = new FileStorage(folder)
    const giving = AbortSignal.timeout(6_000)
    await assert.rejects(storage.exclusively('step', () => {}, { signal: giving }), { name: 'TimeoutError' })
    holder.child.stdin.write('go\n')
    assert.equal(await holder.line(), 'written')
    assert.equal(await storage.get('value'), 'holder')
  })
})

describe('processes that stand still at any moment', () => {
  const STOPS = Math.ceil(KILLS / 10)

  it(`and go on later write nothing twice, and nothing back (${STOPS} times)`, { timeout: 900_000 }, async () => {
    const counters = [start('count'), start('count')]
    const said = [[], []]
    const reading = counters.map(async (counter, index) => { said[index] = (await counter.rest()).map(Number) })
    for (let stop = 0; stop < STOPS; stop += 1) {
      const [one, other] = stop % 2 ? counters : [...counters].reverse()
      await until(async storage => Number(await storage.get('count/a') ?? 0) > stop)
      // Any moment of a step, which is no event that could be awaited.
      await new Promise(resolve => setTimeout(resolve, Math.random() * 100))
      one.child.kill('SIGSTOP')
      const before = Number(await new FileStorage(folder).get('count/a'))
      await until(async storage => Number(await storage.get('count/a')) > before + 20)
      one.child.kill('SIGCONT')
      other.child.kill('SIGCONT')
    }
    for (const { child } of counters) child.kill('SIGKILL')
    await Promise.all(reading)
    const all = said.flat()
    assert.equal(new Set(all).size, all.length, 'no number was written twice')
    for (const numbers of said) assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b))
    const last = Number(await new FileStorage(folder).get('count/a'))
    assert.ok(Math.max(...all) <= last && last - all.length <= 2 + STOPS, `${all.length} of ${last} were said`)
  })

  async function until(isSo) {
    const storage = new FileStorage(folder)
    while (!await isSo(storage)) await new Promise(resolve => setTimeout(resolve, 20))
  }
})

describe('processes killed at any moment', () => {
  it(`leave what they said was done, and no half of anything (${KILLS} times)`, { timeout: 600_000 }, async () => {
    const said = []
    let kills = 0
    await Promise.all([0, 1].map(async () => {
      while (kills < KILLS) {
        kills += 1
        const counter = start('count')
        said.push(Number(await counter.line()))
        // Any moment of a step, which is no event that could be awaited.
        setTimeout(() => counter.child.kill('SIGKILL'), Math.random() * 150)
        said.push(...(await counter.rest()).map(Number))
        await counter.ended
        const storage = new FileStorage(folder)
        await storage.exclusively('step', async () => {
          const values = await Promise.all(['a', 'b', 'c'].map(key => storage.get(`count/${key}`)))
          assert.equal(new Set(values).size, 1, values.join())
        })
      }
    }))
    const last = Number(await new FileStorage(folder).get('count/a'))
    assert.equal(new Set(said).size, said.length, 'no number was written twice')
    assert.ok(Math.max(...said) <= last)
    // One whose process was killed between the writing and the saying has not been said.
    assert.ok(last - said.length <= kills, `${said.length} of ${last} were said with ${kills} kills`)
  })
})
