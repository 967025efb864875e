// Processes on one folder, killed at random moments, against real servers: see real.test.js.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { call, makeUser } from './support/accounts.js'

const { CHAT_SYSTEM_URL: system, CHAT_MESSAGE_URL: messages } = process.env
const skip = system && messages ? false : 'CHAT_SYSTEM_URL and CHAT_MESSAGE_URL are not set'
const sender = fileURLToPath(new URL('./support/sender.js', import.meta.url))
const ROUNDS = Number(process.env.ROUNDS ?? 25)

test('whatever is killed: what was kept is stored once, in the order kept', { skip, timeout: 300_000 }, async t => {
  const { account, userId, token } = await makeUser(system)
  const { roomId } = await call(system, '/rooms', { type: 'group', name: 'x' }, token)
  const folder = mkdtempSync(join(tmpdir(), 'chat-killed-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const kept = [], problems = []
  const run = (first, last) => {
    const child = spawn(process.execPath, ['--experimental-websocket', '--no-warnings', sender, folder, userId, roomId, first, last],
      { env: { ...process.env, USERNAME: account.username, PASSWORD: account.password }, stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })
    const begun = new Promise(resolve => lines.once('line', resolve))
    lines.on('line', line => {
      const { kept: number, error, isLate, end, state, cause } = JSON.parse(line)
      if (number !== undefined) kept.push(`${first}-${number}`)
      // A disk that stands still for seconds is no fault of the store.
      if (error && !isLate) problems.push(error + cause)
      if (end && state !== 'stored') problems.push(`${end} ${state}`)
    })
    return { child, begun, ended: new Promise(resolve => child.on('exit', resolve)), lines: new Promise(resolve => lines.on('close', resolve)) }
  }
  let next = 1
  for (let round = 0; round < ROUNDS; round += 1) {
    // Two at once every other time: one of them sends for both.
    const runs = [run(next, next + 4), ...round % 2 ? [run(next + 5, next + 9)] : []]
    next += 10
    await Promise.race([...runs.map(({ begun }) => begun), new Promise(resolve => setTimeout(resolve, 5_000))])
    await new Promise(resolve => setTimeout(resolve, Math.random() * 400))
    for (const { child } of runs) child.kill('SIGKILL')
    await Promise.all(runs.map(({ ended, lines }) => Promise.all([ended, lines])))
  }
  const last = run(next, next)
  const stored = async () => {
    const all = []
    for (let after = 0; ;) {
      const page = await call(messages, `/rooms/${roomId}/events?after=${after}&limit=100`, undefined, token, 'GET')
      all.push(...page.items)
      if (!page.hasMore) return all
      after = page.nextAfter
    }
  }
  const end = Date.now() + 60_000
  for (;;) {
    const keys = new Set((await stored()).map(event => event.clientMessageId))
    if (kept.every(key => keys.has(key)) && keys.has(`${next}-${next}`)) break
    assert.ok(Date.now() < end, `${kept.filter(key => !keys.has(key)).length} of ${kept.length} are not stored`)
    await new Promise(resolve => setTimeout(resolve, 200))
  }
  last.child.kill('SIGKILL')
  await last.ended
  const keys = (await stored()).map(event => event.clientMessageId)
  assert.equal(new Set(keys).size, keys.length)
  for (const first of new Set(kept.map(key => key.split('-')[0]))) {
    const own = keys.filter(key => key.startsWith(`${first}-`)).map(key => Number(key.split('-')[1]))
    assert.deepEqual(own, [...own].sort((a, b) => a - b), 'in the order kept')
  }
  assert.deepEqual(problems, [])
  assert.notEqual(kept.length, 0)
  t.diagnostic(`${kept.length} kept in ${ROUNDS} rounds, ${keys.length} stored`)
})
