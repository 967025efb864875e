import assert from 'node:assert/strict'
import test from 'node:test'
import { BatchedStorage } from '../../src/storage/batched-storage.js'
import { MemoryStorage } from '../../src/storage/memory-storage.js'

/** A storage without `write`, and one of its calls that stops: as if the process were killed there, or stood still. */
function plain() {
  const memory = new MemoryStorage()
  const storage = { stopAt: Infinity, release: undefined }
  for (const name of ['get', 'keys', 'set', 'delete']) {
    storage[name] = async (...values) => {
      if ((name === 'set' || name === 'delete') && --storage.stopAt < 0) {
        storage.stopAt = Infinity
        await new Promise(resolve => { storage.release = resolve })
      }
      return memory[name](...values)
    }
  }
  return storage
}

const all = async storage => {
  const keys = (await storage.keys('')).sort()
  return Object.fromEntries(await Promise.all(keys.map(async key => [key, await storage.get(key)])))
}
const stopped = storage => new Promise(resolve => { const look = () => (storage.release ? resolve() : setImmediate(look)); look() })

test('a write that is cut off anywhere is made or not, for all who read', async () => {
  for (let stopAt = 0; stopAt <= 4; stopAt += 1) {
    const storage = plain(), writer = new BatchedStorage(storage, 'p/'), other = new BatchedStorage(storage, 'p/')
    await writer.write([['p/a', '1'], ['p/b', '1']])
    storage.stopAt = stopAt
    writer.write([['p/a', '2'], ['p/b', undefined], ['p/c', '2']])
    await stopped(storage)
    const expected = stopAt === 0 ? { 'p/a': '1', 'p/b': '1' } : { 'p/a': '2', 'p/c': '2' }
    assert.deepEqual(await all(other), expected, `stopped at ${stopAt}`)
    // The next write finishes it.
    await other.write([['p/d', '3'], ['p/e', '3']])
    assert.deepEqual(await all({ get: key => storage.get(key), keys: () => storage.keys('p/') }), { ...expected, 'p/d': '3', 'p/e': '3' })
  }
})

test('one who reads while another writes undoes nothing of what that writes next', async () => {
  const storage = plain(), writer = new BatchedStorage(storage, 'p/'), reader = new BatchedStorage(storage, 'p/')
  storage.stopAt = 1
  const first = writer.write([['p/a', '1'], ['p/b', '1']])
  await stopped(storage)
  assert.deepEqual(await all(reader), { 'p/a': '1', 'p/b': '1' })
  storage.release()
  await first
  await writer.write([['p/a', '2']])
  assert.deepEqual(await all(reader), { 'p/a': '2', 'p/b': '1' })
})

test('a single value leaves the journal of another alone, and is not undone by it', async () => {
  const storage = plain(), writer = new BatchedStorage(storage, 'p/'), other = new BatchedStorage(storage, 'p/')
  storage.stopAt = 1
  writer.write([['p/a', '1'], ['p/b', '1']])
  await stopped(storage)
  await other.write([['p/c', '5']])
  assert.notEqual(await storage.get('p/journal'), undefined)
  await other.write([['p/a', '5']])
  assert.equal(await storage.get('p/journal'), undefined)
  assert.deepEqual(await all(other), { 'p/a': '5', 'p/b': '1', 'p/c': '5' })
})

test('a journal that was partly written was never committed', async () => {
  const storage = plain(), batched = new BatchedStorage(storage, 'p/')
  await storage.set('p/a', '1')
  await storage.set('p/journal', '[["p/a","2"],["p/')
  assert.deepEqual(await all(batched), { 'p/a': '1' })
  await batched.write([['p/b', '1'], ['p/c', '1']])
  assert.deepEqual(await all(batched), { 'p/a': '1', 'p/b': '1', 'p/c': '1' })
})
