// The start of the page: who is signed in, and what they see.

import { byId } from './dom.js'
import { Preferences, SafeStorage } from './preferences.js'
import { Session } from './session.js'
import { SignInView } from './sign-in-view.js'
import { pickLanguage, setLanguage, t, translate } from './strings.js'

const CONFIGURATION = '/client/v1/configuration.json'
const KEPT = 'chat.configuration'
const RETRY_MS = 3_000
const DEADLINE_MS = 20_000

/** An address `:PORT` is that port of the host that served the page. */
export function resolveServers({ messages, sockets, authMode }, { origin, protocol, hostname }) {
  const at = address => address.startsWith(':') ? `${protocol}//${hostname}${address}` : address
  return { system: origin, messages: at(messages), sockets: at(sockets), authMode }
}

const storage = new SafeStorage(), preferences = new Preferences(storage)
let signIn, page = null

function applyPreferences() {
  setLanguage(pickLanguage(preferences.get('language'), navigator.languages))
  translate(document)
  const theme = preferences.get('theme')
  if (theme === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
  signIn?.render()
}

/** The server addresses; without an answer the stored ones. */
async function configuration() {
  for (;;) {
    try {
      // Same options as the preload in the page head: other options would cause a second request.
      const answer = await (await fetch(CONFIGURATION, { signal: AbortSignal.timeout(DEADLINE_MS) })).json()
      if (typeof answer?.messages !== 'string' || typeof answer.sockets !== 'string') throw new Error('no configuration')
      storage.set(KEPT, JSON.stringify(answer))
      return answer
    } catch {
      const kept = storage.json(KEPT)
      if (kept) return kept
      byId('trouble').textContent = t('error_network')
      byId('trouble').hidden = false
      await new Promise(resolve => setTimeout(resolve, RETRY_MS))
    }
  }
}

async function start() {
  applyPreferences()
  preferences.addEventListener('change', applyPreferences)
  // The library is loaded meanwhile: the page head preloads it.
  const [answer, { ChatPage }] = await Promise.all([configuration(), import('./chat-page.js')])
  const servers = resolveServers(answer, location)
  const session = new Session(`${servers.system}/api/v1`, { storage })
  byId('trouble').hidden = true
  const show = () => {
    page = new ChatPage({ servers, session, storage, preferences })
    signIn.close()
    page.open()
  }
  signIn = new SignInView({
    preferences,
    signIn: async ({ username, password, displayName, isNew }) => {
      if (isNew) await session.register(username, password, displayName)
      await session.logIn(username, password)
      show()
    },
  })
  const leave = async notice => {
    const old = page
    page = null
    await old?.close()
    if (session.userId === undefined) signIn.open(notice)
  }
  session.addEventListener('ended', ({ detail }) => {
    // After signing out the address must not name the former user's room. After an expired session it stays: the user
    // may sign in again.
    if (detail === 'signedOut') history.replaceState(null, '', location.pathname)
    leave(detail === 'signedOut' ? '' : t('pleaseSignIn'))
  })
  session.addEventListener('changed', async () => { await leave(''); show() })
  window.addEventListener('storage', event => session.storageChanged(event.key))
  if (session.userId === undefined) signIn.open()
  else show()
}

start()
