// In Chromium, which must be there as `chromium` or named in CHROMIUM.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Browser, chromium } from './browser.js'

const IMPORTS = `
  const { IndexedDBStorage } = await import('/src/storage/indexed-db-storage.js')
  const { KeptStorage } = await import('/src/storage/kept-storage.js')
  const open = () => window.storage ??= new IndexedDBStorage(NAME)
  const hold = async (name, work = () => {}) => await new Promise(async isHeld => {
    await open().keys()
    window.holding = open().exclusively(name, async lost => {
      window.lost = lost
      isHeld()
      await new Promise(resolve => { window.go = resolve })
      return await work(lost)
    }).then(() => 'written', error => error.name)
  })
`

const FAST_RETRY = `
  const wait = setTimeout
  window.setTimeout = (work, milliseconds) => wait(work, milliseconds === 30_000 ? 100 : milliseconds)
  window.reports = []
`

describe('storage in a browser', { skip: chromium ? false : 'no chromium', timeout: 120_000 }, () => {
  let browser
  let count = 0
  before(async () => { browser = await Browser.start() })
  after(() => browser?.close())

  /** Some tabs on a database of their own. */
  async function tabs(number, origin) {
    const name = `test-${count += 1}`
    return await Promise.all(Array.from({ length: number }, async () => {
      const tab = await browser.tab(origin)
      const run = tab.run
      tab.run = body => run(IMPORTS.replace('NAME', `'${name}'`) + body)
      return tab
    }))
  }

  /** Asks tabs all the time (timers of hidden tabs run once a second); returns a function that ends it and has the longest wait in ms. */
  function slowestTurn(asked) {
    let isOver = false
    const waits = asked.map(async tab => {
      for (let longest = 0, last = performance.now(); ;) {
        await tab.call('Runtime.evaluate', { expression: '0' })
        await new Promise(resolve => setTimeout(resolve, 20))
        const now = performance.now()
        longest = Math.max(longest, now - last)
        last = now
        if (isOver) return longest
      }
    })
    return async () => { isOver = true; return Math.max(...await Promise.all(waits)) }
  }

  it('is the same in all tabs, and a batch is all or nothing', async () => {
    const [one, other] = await tabs(2)
    await one.run(`await open().write([['a/1', '1'], ['a/2', '2'], ['b', '3'], ['A', '4']])`)
    await other.run(`await open().write(new Map([['a/1', undefined], ['a/3', '3']]))`)
    assert.deepEqual(await one.run(`return await open().keys('a/')`), ['a/2', 'a/3'])
    assert.deepEqual(await one.run(`return await open().keys()`), ['A', 'a/2', 'a/3', 'b'])
    assert.equal(await one.run(`return await open().get('a/3')`), '3')
    assert.equal(await one.run(`return await open().get('a/1') === undefined`), true)
    // A value that cannot be stored is found at the second change: the first is taken back.
    await assert.rejects(one.run(`await open().write([['b', '4'], ['c', () => {}]])`), /DataCloneError/)
    assert.equal(await one.run(`return await open().get('b')`), '3')
  })

  it('has locks that are one at a time among tabs', async () => {
    const [one, other] = await tabs(2)
    await one.run(`await hold('step')`)
    assert.equal(await other.run(`return await open().exclusively('step', () => 1, { ifAvailable: true }) ?? null`), null)
    assert.equal(await other.run(`return await open().exclusively('other', () => 1, { ifAvailable: true })`), 1)
    await assert.rejects(other.run(
      `await open().exclusively('step', () => 1, { signal: AbortSignal.timeout(50) })`), /TimeoutError/)
    const waiting = other.run(`return await open().exclusively('step', () => 'mine')`)
    await one.run(`window.go()`)
    assert.equal(await waiting, 'mine')
    assert.equal(await one.run(`return await window.holding`), 'written')
  })

  it('has locks that can be stolen, and whoever had one writes no more', async () => {
    const [one, other] = await tabs(2)
    await one.run(`await hold('step', lost => open().write([['a', 'late']], { lost }))`)
    await other.run(`await open().exclusively('step', lost => open().write([['a', 'thief']], { lost }), { steal: true })`)
    await one.run(`await new Promise(resolve => window.lost.aborted ? resolve() : window.lost.onabort = resolve); window.go()`)
    assert.equal(await one.run(`return await window.holding`), 'LockLost')
    assert.equal(await other.run(`return await open().get('a')`), 'thief')
  })

  it('frees the locks of a tab that is gone at once', async () => {
    for (const end of [tab => tab.close(), tab => tab.call('Page.crash').catch(() => {})]) {
      const [one, other] = await tabs(2)
      await one.run(`await hold('step')`)
      // This tab cannot learn who has the lock, so it never takes it over: the browser has to free it.
      const waiting = other.run(`navigator.locks.query = () => new Promise(() => {})
        return await open().exclusively('step', () => 'mine')`)
      end(one)
      assert.equal(await waiting, 'mine')
    }
  })

  it('leaves a lock to a tab that works, for as long as it likes', async () => {
    for (let turn = 1; ; turn += 1) {
      const [one, other] = await tabs(2)
      await one.run(`await hold('step')`)
      const slowest = slowestTurn([one, other])
      const ended = await other.run(
        `return await open().exclusively('step', () => 'taken', { signal: AbortSignal.timeout(7000) }).catch(error => error.name)`)
      // A tab that gets no turn for a second is rightly taken for one that hangs.
      if (await slowest() > 500 && ended === 'taken' && turn < 3) continue
      assert.equal(ended, 'TimeoutError')
      assert.equal(await one.run(`window.go(); return await window.holding`), 'written')
      return
    }
  })

  for (const [name, stop, go] of [
    ['is stopped in a debugger', async tab => {
      await tab.call('Debugger.enable')
      await tab.call('Debugger.pause')
      tab.run(`window.isPaused = true`).catch(() => {})
    }, tab => tab.call('Debugger.resume')],
    ['is frozen', tab => tab.call('Page.setWebLifecycleState', { state: 'frozen' }),
      tab => tab.call('Page.setWebLifecycleState', { state: 'active' })]
  ]) {
    it(`takes the lock of a tab that ${name} within 6 s, and that tab writes no more`, async () => {
      const [one, other] = await tabs(2)
      await one.run(`await hold('step', lost => open().write([['a', 'late']], { lost }))`)
      await stop(one)
      const since = performance.now()
      await other.run(`await open().exclusively('step', lost => open().write([['a', 'other']], { lost }))`)
      const took = performance.now() - since
      await go(one)
      await one.run(`window.go()`)
      assert.equal(await one.run(`return await window.holding`), 'LockLost')
      assert.equal(await other.run(`return await open().get('a')`), 'other')
      // On a busy machine the tab that takes it gets its turns late, too.
      assert.ok(took < 20_000, `${took} ms`)
    })
  }

  it('finds in the database that a lock was taken, where the browser has not said so yet', async () => {
    const [one, other] = await tabs(2)
    await one.run(`await hold('step', lost => {
      Object.defineProperty(lost, 'aborted', { value: false })
      return open().write([['a', 'late']], { lost })
    })`)
    await other.run(`await open().exclusively('step', () => {}, { steal: true })`)
    assert.equal(await one.run(`window.go(); return await window.holding`), 'LockLost')
    assert.equal(await other.run(`return await open().get('a') === undefined`), true)
  })

  it('finds in the database that another had the lock without having taken it over', async () => {
    const [one, other] = await tabs(2)
    await one.run(`await hold('step', async lost => {
      Object.defineProperty(lost, 'aborted', { value: false })
      return await open().write([['a', 'late']], { lost })
    })`)
    // As where the browser itself has freed the lock of a page that it had put aside.
    await other.run(`await navigator.locks.request(open().name + '/step', { steal: true }, () => {})`)
    await other.run(`await open().exclusively('step', lost => open().write([['a', 'other']], { lost }))`)
    assert.equal(await one.run(`window.go(); return await window.holding`), 'LockLost')
    assert.equal(await other.run(`return await open().get('a')`), 'other')
  })

  it('takes several writes under one lock, and leaves one number behind', async () => {
    const [one] = await tabs(1)
    await one.run(`await open().exclusively('step', async lost => {
      for (const value of ['1', '2', '3']) await open().write([['a', value]], { lost })
    })`)
    await one.run(`await open().exclusively('step', lost => open().write([['a', '4']], { lost }))`)
    assert.equal(await one.run(`return await open().get('a')`), '4')
    assert.deepEqual(await one.run(`return await new Promise(resolve => {
      indexedDB.open(open().name).onsuccess = ({ target }) => {
        target.result.transaction('takeOvers').objectStore('takeOvers').getAllKeys().onsuccess = event => { resolve(event.target.result); target.result.close() }
      }
    })`), [['step', 4]])
  })

  it('says when there is no room, memory takes its place, and it takes up again', async () => {
    // An origin of its own: Chromium remembers for a while how much room there is.
    const [tab] = await tabs(1, browser.otherOrigin)
    const setQuota = quotaSize => tab.call('Storage.overrideQuotaForOrigin', { origin: browser.otherOrigin, quotaSize })
    await setQuota(100_000)
    await tab.run(`await open().write([['kept', '"old"']])`)
    assert.equal(await tab.run(`
      // Chromium makes files of greater values, which it counts later.
      window.much = key => Array.from({ length: 50 }, (_, index) => [key + index, 'x'.repeat(3e4)])
      return await open().write(much('a/')).then(() => 'written', error => error.name)`), 'QuotaExceededError')
    assert.deepEqual(await tab.run(`return await open().keys()`), ['kept'])
    const before = await tab.run(`${FAST_RETRY}
      window.kept = new KeptStorage(open(), {
        isPrecious: key => key.startsWith('outbox/'), onFailure: error => reports.push(error.name), onRestored: () => { reports.push('restored'); window.onRestored?.() }
      })
      await kept.write(much('outbox/'))
      return [await kept.get('kept'), (await kept.keys('outbox/')).length, kept.isLasting, ...reports]`)
    assert.deepEqual(before, ['old', 50, false, 'QuotaExceededError'])
    const restored = tab.run(`if (!kept.isLasting) await new Promise(resolve => { window.onRestored = resolve })`)
    await setQuota(undefined)
    await restored
    assert.deepEqual(await tab.run(`return [kept.isLasting, (await open().keys('outbox/')).length, ...reports]`),
      [true, 50, 'QuotaExceededError', 'restored'])
    await tab.run(`await kept.close()`)
  })

  it('opens again after its data were cleared, or the database was deleted by another tab', async () => {
    const [one, other] = await tabs(2)
    await one.run(`await open().write([['a', '1']])`)
    await other.run(`await open().write([['b', '1']])
      await new Promise((resolve, reject) => {
        open().close()
        const request = indexedDB.deleteDatabase(open().name)
        request.onsuccess = resolve
        request.onblocked = () => reject(new Error('blocked'))
      })`)
    assert.deepEqual(await one.run(`return await open().keys()`), [])
    await one.run(`await open().write([['a', '2']])`)
    await browser.call('Target.getTargets')
    await one.call('Storage.clearDataForOrigin', { origin: browser.origin, storageTypes: 'indexeddb' })
    await one.run(`await open().write([['c', '3']])`)
    assert.deepEqual(await other.run(`return await open().keys()`), ['c'])
  })

  it('fails cleanly where a page has no storage and no locks, and memory does instead', async () => {
    const [tab] = await tabs(1)
    // A frame of no origin: as with blocked site data, both refuse.
    const answer = await tab.run(`
      const frame = document.createElement('iframe')
      frame.sandbox = 'allow-scripts'
      const answer = new Promise(resolve => { window.onmessage = event => resolve(event.data) })
      frame.srcdoc = \`<script type=module>
        try {
          const { IndexedDBStorage } = await import('\${location.origin}/src/storage/indexed-db-storage.js')
          const { KeptStorage } = await import('\${location.origin}/src/storage/kept-storage.js')
          const storage = new IndexedDBStorage('none')
          const direct = await storage.get('a').then(() => 'read', error => error.name)
          const reports = []
          const kept = new KeptStorage(storage, { onFailure: error => reports.push(error.name) })
          await kept.set('a', 1)
          const read = await kept.get('a')
          const locked = await kept.exclusively('step', () => kept.exclusively('step', () => 1, { ifAvailable: true }))
          await kept.close()
          parent.postMessage([direct, read, locked ?? null, kept.isLasting, ...reports], '*')
        } catch (error) { parent.postMessage(String(error.stack), '*') }
      <\\/script>\`
      document.body.append(frame)
      return await answer`)
    assert.deepEqual(answer, ['SecurityError', 1, null, false, 'SecurityError'])
  })

  it('is given up where a transaction does not end, and what lands late does not stay on top', async () => {
    const [one, other] = await tabs(2)
    await one.run(`await open().write([['a', '1']])
      const database = await new Promise(resolve => { indexedDB.open(open().name, 1).onsuccess = event => resolve(event.target.result) })
      await new Promise(isBegun => {
        const store = database.transaction('values', 'readwrite').objectStore('values')
        window.keepOn = true
        const again = () => { isBegun(); if (window.keepOn) store.get('a').onsuccess = again }
        again()
      })`)
    const before = await other.run(`${FAST_RETRY}
      window.kept = new KeptStorage(open(), { onFailure: error => reports.push(error.name), onRestored: () => window.onRestored?.() })
      await kept.set('a', 2)
      await kept.set('a', 3)
      return [await kept.get('a'), ...reports]`)
    assert.deepEqual(before, [3, 'TimeoutError'])
    const restored = other.run(`if (!kept.isLasting) await new Promise(resolve => { window.onRestored = resolve })`)
    await one.run(`window.keepOn = false`)
    await restored
    assert.equal(await one.run(`return await open().get('a')`), '3')
    await other.run(`await kept.close()`)
  })
})
