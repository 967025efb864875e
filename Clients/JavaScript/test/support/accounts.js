// Calls of real servers, and accounts on them.

import { until as untilWithin } from './fake-server.js'

/** Waits for longer than with a fake server: real ones are slow on a busy machine. */
export const until = (condition, what) => untilWithin(condition, what, 60_000)

/** A call of the REST API below `base`. */
export async function call(base, path, body, token, method = 'POST') {
  const headers = { 'Content-Type': 'application/json', ...token && { Authorization: `Bearer ${token}` } }
  const response = await fetch(`${base}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) })
  const text = await response.text()
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

/** A new user: `{userId, …, account, token, logIn()}`. */
export async function makeUser(system) {
  const account = { username: `u${Math.random().toString(36).slice(2, 14)}`, password: 'a long password' }
  const user = await call(system, '/auth/register', account)
  const logIn = async () => (await call(system, '/auth/login', account)).accessToken
  return { ...user, account, logIn, token: await logIn() }
}
