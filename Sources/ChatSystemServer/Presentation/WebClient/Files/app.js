// The start of the page: who is signed in, and what they see.

import { byId } from './dom.js'
import { Preferences, SafeStorage } from './preferences.js'
import { call } from './rest.js'
import { Session } from './session.js'
import { SignInView } from './sign-in-view.js'
import { errorText, pickLanguage, setLanguage, t, translate } from './strings.js'

const CONFIGURATION = '/client/v1/configuration.json'
const KEPT = 'chat.configuration'
const RETRY_MS = 3_000

/** Addresses of one host and another port are those of the host that served the page. */
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

/** Where the servers are. Without an answer it is where they were the last time. */
async function configuration() {
  for (;;) {
    try {
      const answer = await call(CONFIGURATION)
      storage.set(KEPT, JSON.stringify(answer))
      return answer
    } catch (error) {
      const kept = storage.json(KEPT)
      if (kept) return kept
      byId('trouble').textContent = errorText(error)
      byId('trouble').hidden = false
      await new Promise(resolve => setTimeout(resolve, RETRY_MS))
    }
  }
}

async function start() {
  applyPreferences()
  preferences.addEventListener('change', applyPreferences)
  // The library is fetched meanwhile: it is named in the head of the page.
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
    // The address names a room of somebody who is here no more; an end that nobody asked for may be mended by signing in.
    if (detail === 'signedOut') history.replaceState(null, '', location.pathname)
    leave(detail === 'signedOut' ? '' : t('pleaseSignIn'))
  })
  session.addEventListener('changed', async () => { await leave(''); show() })
  window.addEventListener('storage', event => session.storageChanged(event.key))
  if (session.userId === undefined) signIn.open()
  else show()
}

start()
