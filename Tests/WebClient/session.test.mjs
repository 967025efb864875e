import assert from 'node:assert/strict'
import test from 'node:test'
import { CallError, People, SafeStorage, Session } from './client.mjs'

const memory = () => {
  const values = new Map()
  return {
    getItem: key => values.get(key) ?? null, setItem: (key, text) => values.set(key, text), removeItem: key => values.delete(key),
    get length() { return values.size }, key: index => [...values.keys()][index],
  }
}

/** A lock for all sessions of a test, as the tabs of one browser have. */
function locksOf() {
  let last = Promise.resolve()
  return {
    request: (name, options, work) => {
      const run = last.then(() => work())
      last = run.catch(() => {})
      return run
    },
  }
}

/** A server whose refresh tokens work once. */
function server() {
  const state = { next: 1, valid: null, refreshes: 0, calls: [], fail: null }
  const pair = () => {
    const number = state.next++
    state.valid = `refresh-${number}`
    return { accessToken: `access-${number}`, refreshToken: state.valid, expiresIn: 900, userId: 7 }
  }
  state.post = async (url, { body }) => {
    const path = url.split('/').at(-1)
    state.calls.push(path)
    await null
    if (state.fail) throw state.fail
    if (path === 'login') return pair()
    if (path === 'logout') return null
    if (path === 'register') return { userId: 7 }
    state.refreshes += 1
    if (body.refreshToken !== state.valid) throw new CallError(401, 'invalid_refresh_token', 'no')
    return pair()
  }
  return state
}

function setup({ locks = locksOf(), storage = memory() } = {}) {
  const world = server(), clock = { now: 0 }
  const open = () => new Session('/api/v1', { storage: new SafeStorage(() => storage), locks, now: () => clock.now, post: world.post })
  return { world, clock, open, storage }
}

test('a second tab finds the sign-in, and does not refresh on its own', async () => {
  const { world, open } = setup()
  const first = open()
  await first.logIn('a', 'b')
  const second = open()
  assert.equal(second.userId, 7)
  assert.equal(await second.token(), await first.token())
  assert.equal(world.refreshes, 0)
})

test('two tabs that need a new token at the same time show the refresh token once', async () => {
  const { world, clock, open } = setup()
  const first = open()
  await first.logIn('a', 'b')
  const second = open()
  clock.now = 900_000
  const tokens = await Promise.all([first.token(), second.token(), first.token()])
  assert.deepEqual(new Set(tokens), new Set(['access-2']))
  assert.equal(world.refreshes, 1)
  assert.equal(first.userId, 7)
  assert.equal(second.userId, 7)
})

test('a refused token is exchanged once, whoever had it', async () => {
  const { world, open } = setup()
  const first = open()
  await first.logIn('a', 'b')
  const second = open()
  assert.equal(await first.tokenFor({ reason: 'first' }), 'access-1')
  assert.equal(await second.tokenFor({ reason: 'first' }), 'access-1')
  assert.equal(await first.tokenFor({ reason: 'refused' }), 'access-2')
  assert.equal(await second.tokenFor({ reason: 'refused' }), 'access-2')
  assert.equal(world.refreshes, 1)
})

test('a refresh without an answer keeps the sign-in, and shows the same token again', async () => {
  const { world, clock, open } = setup()
  const session = open()
  await session.logIn('a', 'b')
  clock.now = 900_000
  world.fail = new CallError(503, 'unavailable', 'later')
  await assert.rejects(session.token(), { status: 503 })
  assert.equal(session.userId, 7)
  world.fail = null
  assert.equal(await session.token(), 'access-2')
})

test('a refusal ends the session in all tabs, and the library gets SignedOut', async () => {
  const { world, clock, open } = setup()
  const first = open(), ended = []
  await first.logIn('a', 'b')
  const second = open()
  for (const session of [first, second]) session.addEventListener('ended', event => ended.push(event.detail))
  clock.now = 900_000
  world.valid = null
  await assert.rejects(first.tokenFor({ reason: 'expiring' }), { name: 'SignedOut' })
  second.storageChanged('chat.session')
  assert.deepEqual(ended, ['expired', 'signedOut'])
  assert.equal(open().userId, undefined)
})

test('signing out here ends it whatever the server says', async () => {
  const { world, open } = setup()
  const session = open()
  await session.logIn('a', 'b')
  world.fail = new CallError(0, 'network', 'gone')
  await session.logOut()
  assert.equal(session.userId, undefined)
  await assert.rejects(session.token(), { code: 'signed_out' })
})

test('another user in another tab is said', async () => {
  const { open, storage } = setup()
  const session = open()
  await session.logIn('a', 'b')
  let changed = 0
  session.addEventListener('changed', () => { changed += 1 })
  storage.setItem('chat.session', JSON.stringify({ accessToken: 'x', refreshToken: 'y', userId: 8, freshUntil: 9e9 }))
  session.storageChanged('chat.session')
  assert.equal(changed, 1)
  assert.equal(session.userId, 8)
})

test('a lock that another tab never gives back is waited for no longer than some seconds', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const locks = {
    request: (name, { signal }) => new Promise((resolve, reject) => signal.addEventListener(
      'abort', () => reject(Object.assign(new Error('aborted'), { name: 'AbortError' })))),
  }
  const { clock, open } = setup({ locks })
  const session = open()
  await session.logIn('a', 'b')
  clock.now = 900_000
  const token = session.token()
  t.mock.timers.tick(8_000)
  assert.equal(await token, 'access-2')
})

test('with blocked site data it works as long as the page', async () => {
  const world = server()
  const storage = new SafeStorage(() => { throw new Error('SecurityError') })
  const session = new Session('/api/v1', { storage, locks: undefined, now: () => 0, post: world.post })
  await session.logIn('a', 'b')
  assert.equal(await session.token(), 'access-1')
  assert.equal(storage.isLasting, false)
})

test('a storage that is full keeps values in memory', () => {
  const storage = new SafeStorage(() => ({ getItem: () => null, setItem: () => { throw new Error('QuotaExceededError') }, removeItem() {}, length: 0 }))
  assert.equal(storage.set('a', 'b'), false)
  assert.equal(storage.get('a'), 'b')
  storage.set('a', null)
  assert.equal(storage.get('a'), null)
})

test('what was stored by somebody else is no session', () => {
  for (const text of ['', 'null', '{}', '[]', '{"refreshToken":1}', 'no json']) {
    const storage = memory()
    storage.setItem('chat.session', text)
    assert.equal(new Session('', { storage: new SafeStorage(() => storage), locks: undefined }).userId, undefined, text)
  }
})

test('a name is asked for once, and a failing server is not asked without a pause', async () => {
  let asked = 0, fail = true
  const clock = { now: 0 }
  const api = { user: async userId => { asked += 1; if (fail) throw new CallError(503, 'x', 'x'); return { userId, displayName: 'Ann' } } }
  const people = new People(api, new SafeStorage(() => memory()), () => clock.now)
  const settle = () => new Promise(resolve => setImmediate(resolve))
  assert.equal(people.name(1), 'User 1')
  people.name(1)
  await settle()
  assert.equal(asked, 1)
  people.name(1)
  await settle()
  assert.equal(asked, 1)
  clock.now = 6_000
  fail = false
  people.name(1)
  await settle()
  assert.equal(people.name(1), 'Ann')
  assert.equal(asked, 2)
})
