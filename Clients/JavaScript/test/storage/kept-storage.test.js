import assert from 'node:assert/strict'
import { describe, it, mock, beforeEach, afterEach } from 'node:test'
import { Deadline } from '../../src/storage/foreign-storage.js'
import { KeptStorage } from '../../src/storage/kept-storage.js'
import { MemoryStorage } from '../../src/storage/memory-storage.js'
// Loaded on demand by the library. Loaded here first, since no test waits for modules.
import '../../src/storage/restoring.js'

/** A storage whose calls fail, or never answer, as long as a test says so. */
class FaultyStorage {
  values = new MemoryStorage()
  isLasting = true
  failing = new Set()
  hanging = new Set()
  held = []

  #call(name, work) {
    if (this.failing.has(name)) return Promise.reject(new Error(`${name} failed`))
    if (this.hanging.has(name)) return new Promise(resolve => this.held.push(() => resolve(work())))
    return Promise.resolve(work())
  }

  get(key) { return this.#call('get', () => this.values.get(key)) }
  keys(prefix) { return this.#call('keys', () => this.values.keys(prefix)) }
  write(changes) { return this.#call('write', () => this.values.write(changes)) }
  exclusively(...rest) { return this.#call('exclusively', () => this.values.exclusively(...rest)) }
}

/** Pairs of key and value, sorted by key. */
async function entries(kept, prefix) {
  const keys = await kept.keys(prefix)
  const values = await Promise.all(keys.map(key => kept.get(key)))
  return keys.map((key, index) => [key, values[index]]).filter(([, value]) => value !== undefined)
}

/** Lets everything run that waits for no timer. */
const settled = async () => { for (let turn = 0; turn < 50; turn += 1) await null }

async function passes(milliseconds) {
  await settled()
  // In steps: a timer that is set by another that fires counts from there.
  for (let left = milliseconds; left > 0; left -= 1_000) {
    mock.timers.tick(Math.min(left, 1_000))
    await settled()
  }
}

function kept(storage = new FaultyStorage(), options = {}) {
  const reports = []
  const it = new KeptStorage(storage, {
    prefix: 'v1/', isPrecious: key => key.startsWith('outbox/'),
    onFailure: (error, { operation }) => reports.push(`failed ${operation}`),
    onRestored: () => reports.push('restored'),
    onBroken: (key, keptAs) => reports.push(`broken ${key} ${keptAs}`),
    ...options
  })
  return { it, storage, reports }
}

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
afterEach(() => mock.timers.reset())

describe('values', () => {
  it('are JSON, each time a new one, below the prefix', async () => {
    const { it, storage } = kept()
    const value = { seq: 3, mark: 'abcdef' }
    await it.set('rooms/a', value)
    value.seq = 4
    assert.deepEqual(await it.get('rooms/a'), { seq: 3, mark: 'abcdef' })
    assert.equal(storage.values.get('v1/rooms/a'), '{"seq":3,"mark":"abcdef"}')
    assert.notEqual(await it.get('rooms/a'), await it.get('rooms/a'))
    assert.equal(await it.get('rooms/b'), undefined)
  })

  it('are listed in the order of their keys, and only those below the prefix', async () => {
    const { it, storage } = kept()
    storage.values.set('v0/rooms/a', '1')
    await it.write([['rooms/b', 2], ['rooms/a', 1], ['outbox/a', 3]])
    assert.deepEqual(await it.keys('rooms/'), ['rooms/a', 'rooms/b'])
    assert.deepEqual(await entries(it, 'rooms/'), [['rooms/a', 1], ['rooms/b', 2]])
    await it.set('rooms/a', undefined)
    assert.deepEqual(await it.keys(), ['outbox/a', 'rooms/b'])
  })

  it('that are no JSON are absent', async () => {
    const { it, storage, reports } = kept()
    storage.values.set('v1/rooms/a', '{"seq":')
    assert.equal(await it.get('rooms/a'), undefined)
    assert.deepEqual(reports, [])
    assert.equal(it.isLasting, true)
  })

  it('of the outbox that are no JSON are put aside and reported, once', async () => {
    const { it, storage, reports } = kept()
    storage.values.set('v1/outbox/a', '{"text":')
    assert.equal(await it.get('outbox/a'), undefined)
    assert.equal(await it.get('outbox/a'), undefined)
    const [keptAs] = await it.keys('broken/')
    assert.match(keptAs, /^broken\/outbox\/a\.[0-9a-f]+$/)
    assert.equal(storage.values.get(`v1/${keptAs}`), '{"text":')
    assert.deepEqual(reports, [`broken outbox/a ${keptAs}`])
  })

  it('that alone cannot be read are absent, and the storage goes on', async () => {
    const storage = new FaultyStorage()
    const { it, reports } = kept(storage)
    storage.get = () => Promise.reject(Object.assign(new Error('bad block'), { isUnreadable: true }))
    assert.equal(await it.get('rooms/a'), undefined)
    assert.equal(it.isLasting, true)
    assert.equal(await it.get('outbox/a'), undefined)
    assert.deepEqual(reports, ['broken outbox/a undefined'])
  })
})

describe('a storage that has no write', () => {
  /** Fails for good from the given call on, as if the process were killed. */
  function storageCutOff(afterCalls) {
    const values = new Map([['v1/a', '1'], ['v1/b', '1']])
    let calls = 0
    const call = work => async (...parameters) => {
      calls += 1
      if (calls > afterCalls) throw new Error('killed')
      return work(...parameters)
    }
    return {
      values,
      get: call(key => values.get(key) ?? null),
      set: call((key, value) => { values.set(key, value) }),
      delete: call(key => { values.delete(key) }),
      keys: call(prefix => [...values.keys()].filter(key => key.startsWith(prefix)))
    }
  }

  it('has batches that are all or nothing all the same, wherever they are cut off', async () => {
    const seen = new Set()
    for (let calls = 0; calls < 12; calls += 1) {
      const storage = storageCutOff(calls)
      const first = kept(storage).it
      await first.write([['a', 2], ['b', undefined], ['c', 2]])
      await first.close()
      const next = kept(Object.assign(storageCutOff(Infinity), {
        get: async key => storage.values.get(key) ?? null,
        set: async (key, value) => { storage.values.set(key, value) },
        delete: async key => { storage.values.delete(key) },
        keys: async () => [...storage.values.keys()]
      })).it
      const all = JSON.stringify(await entries(next))
      assert.ok(['[["a",1],["b",1]]', '[["a",2],["c",2]]'].includes(all), `${calls}: ${all}`)
      seen.add(all)
    }
    assert.equal(seen.size, 2)
  })
})

describe('a process that stood still', () => {
  it('waits for the answers that it finds when it goes on', async () => {
    const { setTimeout } = globalThis
    const timers = []
    globalThis.setTimeout = work => { timers.push(work) }
    try {
      const deadline = new Deadline(5_000)
      let answer
      const call = deadline.run(() => new Promise(resolve => { answer = resolve }))
      await null
      // As after a sleep: all timers are due once, and before anything else is looked at.
      for (const work of timers.splice(0)) work()
      answer(1)
      assert.equal(await call, 1)
      deadline.close()
    } finally {
      globalThis.setTimeout = setTimeout
    }
  })

  it('still waits for the lock under which memory is written back', async () => {
    const { it, storage, reports } = kept()
    storage.failing.add('write')
    await it.set('rooms/a', 1)
    storage.failing.clear()
    let release
    const holding = storage.exclusively('v1/store', () => new Promise(resolve => { release = resolve }))
    await passes(30_000)
    // One timer of the wait is due, however long that was.
    mock.timers.tick(25_000)
    release()
    await holding
    await settled()
    assert.deepEqual(reports, ['failed write', 'restored'])
  })
})

describe('a storage that fails', () => {
  it('is reported once, and memory takes its place with what it holds', async () => {
    const { it, storage, reports } = kept()
    await it.write([['rooms/a', 1], ['rooms/b', 2]])
    storage.failing.add('write')
    await it.set('rooms/a', 10)
    await it.set('rooms/b', undefined)
    await it.set('rooms/c', 30)
    assert.deepEqual(reports, ['failed write'])
    assert.equal(it.isLasting, false)
    assert.deepEqual(await entries(it), [['rooms/a', 10], ['rooms/c', 30]])
    await it.close()
  })

  it('takes up what was written meanwhile, 30 s later', async () => {
    const { it, storage, reports } = kept()
    await it.write([['rooms/a', 1], ['rooms/b', 2]])
    storage.failing.add('write')
    await it.write([['rooms/a', 10], ['rooms/b', undefined]])
    await passes(30_000)
    assert.equal(it.isLasting, false)
    storage.failing.clear()
    await passes(29_999)
    assert.equal(it.isLasting, false)
    await passes(1)
    assert.equal(it.isLasting, true)
    assert.deepEqual(reports, ['failed write', 'restored'])
    assert.deepEqual(storage.values.keys(), ['v1/rooms/a'])
    assert.equal(storage.values.get('v1/rooms/a'), '10')
  })

  it('that answers nothing is given up after 5 s', async () => {
    const { it, storage, reports } = kept()
    storage.hanging.add('write')
    let isDone = false
    it.set('rooms/a', 1).then(() => { isDone = true })
    await passes(4_999)
    assert.equal(isDone, false)
    await passes(1)
    assert.equal(isDone, true)
    assert.deepEqual(reports, ['failed write'])
    assert.equal(await it.get('rooms/a'), 1)
    await it.close()
  })

  it('is not written to while an older write may still land', async () => {
    const { it, storage, reports } = kept()
    storage.hanging.add('write')
    it.set('rooms/a', 1)
    await passes(5_000)
    storage.hanging.clear()
    await it.set('rooms/a', 2)
    await passes(30_000)
    assert.equal(it.isLasting, false)
    for (const land of storage.held) land()
    await passes(30_000)
    assert.equal(it.isLasting, true)
    assert.equal(storage.values.get('v1/rooms/a'), '2')
    assert.deepEqual(reports, ['failed write', 'restored'])
  })

  it('that cannot be read at all is empty, and asked again 30 s later', async () => {
    const { it, storage, reports } = kept()
    await it.set('rooms/a', 1)
    storage.hanging.add('get')
    const reading = it.get('rooms/a')
    await passes(5_000)
    assert.equal(await reading, undefined)
    assert.equal(await it.get('rooms/a'), undefined)
    storage.hanging.clear()
    await passes(30_000)
    assert.equal(await it.get('rooms/a'), 1)
    assert.deepEqual(reports, ['failed get', 'restored'])
  })

  it('keeps what another process wrote meanwhile, and all of what belongs to it', async () => {
    const { it, storage } = kept()
    await it.write([['rooms/a/head', 1], ['rooms/a/1', 1], ['rooms/b/head', 1], ['outbox/a/1', 1]])
    storage.failing.add('write')
    await it.write([['rooms/a/head', 2], ['rooms/a/1', 2], ['rooms/b/head', 2], ['outbox/a/1', 2], ['outbox/a/2', 2]])
    storage.values.write([['v1/rooms/a/1', '3'], ['v1/outbox/a/1', undefined]])
    storage.failing.clear()
    await passes(30_000)
    assert.deepEqual(await entries(it),
      [['outbox/a/2', 2], ['rooms/a/1', 3], ['rooms/a/head', 1], ['rooms/b/head', 2]])
  })

  it('that can neither be read nor written gets what is newer here, as long as nobody else has changed it', async () => {
    const { it, storage } = kept()
    await it.write([['rooms/a/head', 1], ['rooms/a/1', 1], ['rooms/b/1', 1]])
    for (const call of ['get', 'keys', 'write']) storage.failing.add(call)
    await it.write([['rooms/a/head', 2], ['rooms/a/2', 2], ['rooms/b/1', 2]])
    storage.values.set('v1/rooms/b/1', '3')
    storage.failing.clear()
    await passes(30_000)
    assert.deepEqual(await entries(it), [['rooms/a/1', 1], ['rooms/a/2', 2], ['rooms/a/head', 2], ['rooms/b/1', 3]])
  })

  it('gets the outbox back where there is no room for all', async () => {
    const { it, storage } = kept()
    storage.failing.add('write')
    await it.write([['rooms/a', 'much'], ['outbox/a', 'little']])
    storage.failing.clear()
    const write = storage.write
    storage.write = changes => changes.length > 0 && changes[0][0].startsWith('v1/rooms/')
      ? Promise.reject(new Error('quota')) : write.call(storage, changes)
    await passes(30_000)
    assert.equal(it.isLasting, false)
    assert.deepEqual(storage.values.keys(), ['v1/outbox/a'])
    assert.deepEqual(await it.keys(), ['outbox/a', 'rooms/a'])
    storage.write = write
    await passes(30_000)
    assert.deepEqual(storage.values.keys(), ['v1/outbox/a', 'v1/rooms/a'])
  })

  it('leaves no timer once it is closed, and answers what waits', async () => {
    const { it, storage } = kept()
    storage.hanging.add('write')
    const writing = assert.rejects(it.set('rooms/a', 1), { name: 'InvalidStateError' })
    await settled()
    const closing = it.close()
    await passes(1_000)
    await closing
    await writing
    await assert.rejects(it.set('rooms/a', 1), { name: 'InvalidStateError' })
  })

  it('is closed with it where it is its own', async () => {
    for (const isOwn of [true, false]) {
      let isClosed = false
      await kept(Object.assign(new FaultyStorage(), { close: () => { isClosed = true } }), { isOwn }).it.close()
      assert.equal(isClosed, isOwn)
    }
  })

  it('survives a report that throws', async () => {
    const { it, storage } = kept(undefined, { onFailure: () => { throw new Error('listener') } })
    storage.failing.add('write')
    await it.set('rooms/a', 1)
    assert.equal(await it.get('rooms/a'), 1)
    await it.close()
  })
})

describe('exclusively', () => {
  const hold = () => {
    let release
    const until = new Promise(resolve => { release = resolve })
    return { until, release }
  }

  for (const [name, make] of [
    ['of the storage', () => new FaultyStorage()],
    ['of the process, where the storage has none', () => Object.assign(new FaultyStorage(), { exclusively: undefined })]
  ]) {
    it(`${name}: one at a time, in the order of the calls`, async () => {
      const storage = make()
      const [first, second] = [kept(storage).it, kept(storage).it]
      const order = []
      const { until, release } = hold()
      const all = [
        first.exclusively('step', async () => { order.push('a'); await until; order.push('b') }),
        second.exclusively('step', async () => { order.push('c') }),
        first.exclusively('step', async () => { order.push('d') }),
        second.exclusively('other', async () => { order.push('other') })
      ]
      await settled()
      assert.equal(await second.exclusively('step', () => 1, { ifAvailable: true }), undefined)
      release()
      await Promise.all(all)
      assert.deepEqual(order, ['a', 'other', 'b', 'c', 'd'])
      assert.equal(await second.exclusively('step', () => 1, { ifAvailable: true }), 1)
    })

    it(`${name}: can be stolen, and whoever had it writes no more`, async () => {
      const { it } = kept(make())
      const { until, release } = hold()
      const losing = it.exclusively('step', async lost => {
        await until
        assert.equal(lost.aborted, true)
        await it.write([['rooms/a', 1]], { lost })
      })
      await settled()
      await it.exclusively('step', () => it.set('rooms/a', 2), { steal: true })
      release()
      await assert.rejects(losing, { name: 'LockLost' })
      assert.equal(await it.get('rooms/a'), 2)
    })

    it(`${name}: waiting ends with the signal, and the next in line is not held up`, async () => {
      const { it } = kept(make())
      const { until, release } = hold()
      const holding = it.exclusively('step', () => until)
      const giving = new AbortController()
      const waiting = it.exclusively('step', () => assert.fail('was given up'), { signal: giving.signal })
      const next = it.exclusively('step', () => 'next')
      await settled()
      giving.abort(new Error('enough'))
      await assert.rejects(waiting, /enough/)
      release()
      await holding
      assert.equal(await next, 'next')
    })
  }

  it('of a storage that knows a name and the work alone does what can be done', async () => {
    const storage = new FaultyStorage()
    const locks = new MemoryStorage()
    storage.exclusively = (name, work) => locks.exclusively(name, () => work())
    const { it } = kept(storage)
    const { until, release } = hold()
    const holding = it.exclusively('step', async lost => { await until; return lost.aborted })
    const giving = new AbortController()
    const waiting = it.exclusively('step', () => assert.fail('was given up'), { signal: giving.signal })
    const trying = it.exclusively('step', () => assert.fail('is not free'), { ifAvailable: true })
    await settled()
    giving.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    await passes(1_000)
    assert.equal(await trying, undefined)
    release()
    assert.equal(await holding, false)
    assert.equal(await it.exclusively('step', () => 1, { ifAvailable: true }), 1)
  })

  it('that is never had for a step is replaced by one of the process', async () => {
    const { it, storage, reports } = kept()
    storage.exclusively = () => new Promise(() => {})
    const step = it.exclusively('store', () => it.set('rooms/a', 1))
    await passes(10_000)
    await step
    assert.equal(await it.get('rooms/a'), 1)
    assert.deepEqual(reports, ['failed exclusively'])
    await it.close()
  })

  it('that fails in the work is no failure of the storage', async () => {
    const { it, reports } = kept()
    await assert.rejects(it.exclusively('step', () => { throw new Error('mine') }), /mine/)
    assert.deepEqual(reports, [])
  })

  it('is one of the process while the storage has none to give, and lost when it has again', async () => {
    const { it, storage, reports } = kept()
    storage.failing.add('exclusively')
    const { until, release } = hold()
    let isLost
    const holding = it.exclusively('outbox', async lost => { await until; isLost = lost.aborted })
    await settled()
    assert.deepEqual(reports, ['failed exclusively'])
    assert.equal(await it.exclusively('outbox', () => 1, { ifAvailable: true }), undefined)
    storage.failing.clear()
    await passes(30_000)
    release()
    await holding
    assert.equal(isLost, true)
    assert.deepEqual(reports, ['failed exclusively', 'restored'])
  })
})
