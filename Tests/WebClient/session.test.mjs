import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { Session } from './client.mjs'

const realFetch = globalThis.fetch
afterEach(() => { globalThis.fetch = realFetch })

function storage() {
  const items = new Map()
  return {
    getItem: key => items.get(key) ?? null, setItem: (key, value) => items.set(key, value),
    removeItem: key => items.delete(key), items,
  }
}

/** A server: each refresh token works once. `fail` answers of the next calls are given instead. */
function server({ expiresIn = 100 } = {}) {
  const state = { calls: [], live: 'r0', count: 0, fail: [] }
  globalThis.fetch = async (url, { body }) => {
    state.calls.push(url)
    await new Promise(resolve => setImmediate(resolve))
    const failure = state.fail.shift()
    if (failure === 0) throw new TypeError('network')
    if (failure) return new Response('{"code":"unavailable","detail":"Away"}', { status: failure })
    if (url.endsWith('/logout')) return new Response(null, { status: 204 })
    if (url.endsWith('/refresh') && JSON.parse(body).refreshToken !== state.live) {
      return new Response('{"code":"invalid_refresh_token","detail":"No"}', { status: 401 })
    }
    state.count += 1
    state.live = `r${state.count}`
    return Response.json({ accessToken: `a${state.count}`, refreshToken: state.live, expiresIn, userId: 7 })
  }
  return state
}

async function signedIn(now = { ms: 0 }, store = storage()) {
  const session = new Session('http://s', { storage: store, now: () => now.ms })
  await session.logIn('alice', 'a long password')
  return session
}

test('a token is used until shortly before its end, and then refreshed once for all who ask', async () => {
  const state = server(), now = { ms: 0 }
  const session = await signedIn(now)
  assert.equal(await session.token(), 'a1')
  now.ms = 74_999
  assert.equal(await session.token(), 'a1')
  now.ms = 75_000
  assert.deepEqual(await Promise.all([session.token(), session.token(), session.refresh('a1')]), ['a2', 'a2', 'a2'])
  assert.equal(state.calls.filter(url => url.endsWith('/refresh')).length, 1)
  assert.equal(await session.refresh('a1'), 'a2', 'who still holds the old one gets the new one')
  assert.equal(state.count, 2)
})

test('a token is renewed by the rule of the servers: a quarter of its life before the end, a minute at most', async () => {
  for (const [expiresIn, margin] of [[4, 1_000], [60, 15_000], [240, 60_000], [900, 60_000], [86_400, 60_000]]) {
    server({ expiresIn })
    const now = { ms: 0 }
    const session = await signedIn(now)
    now.ms = expiresIn * 1000 - margin - 1
    assert.equal(await session.token(), 'a1', `${expiresIn} s, early`)
    now.ms += 1
    assert.equal(await session.token(), 'a2', `${expiresIn} s, late`)
  }
})

test('no answer ends nothing; a refusal ends the session and says so once', async () => {
  const state = server()
  const session = await signedIn()
  const ended = []
  session.addEventListener('ended', event => ended.push(event.detail))
  for (const failure of [0, 503, 429]) {
    state.fail = [failure]
    await assert.rejects(session.refresh(), error => error.isTemporary)
  }
  assert.equal(await session.refresh(), 'a2')
  state.live = 'used by somebody else'
  await assert.rejects(session.refresh(), error => error.status === 401)
  await assert.rejects(session.token(), error => error.code === 'signed_out')
  assert.deepEqual(ended, ['Please sign in again'])
  assert.equal(session.userId, undefined)
})

test('a session outlives a reload, and nothing is left of one that was ended', async () => {
  server()
  const store = storage()
  const session = await signedIn({ ms: 0 }, store)
  const reloaded = new Session('http://s', { storage: store, now: () => 0 })
  assert.equal(reloaded.userId, 7)
  assert.equal(await reloaded.token(), 'a1')
  await session.logOut()
  assert.equal(store.items.size, 0)
  assert.equal(new Session('http://s', { storage: store }).userId, undefined)
})

test('signing out while a refresh is on its way signs nobody in again', async () => {
  server()
  const store = storage()
  const session = await signedIn({ ms: 0 }, store)
  const refreshing = session.refresh()
  const refused = assert.rejects(refreshing, error => error.code === 'signed_out')
  await session.logOut()
  await refused
  assert.equal(session.userId, undefined)
  assert.equal(store.items.size, 0)
})

test('a broken store is as good as none', async () => {
  server()
  const broken = { getItem() { throw new Error() }, setItem() { throw new Error() }, removeItem() { throw new Error() } }
  const session = await signedIn({ ms: 0 }, broken)
  assert.equal(await session.token(), 'a1')
})
