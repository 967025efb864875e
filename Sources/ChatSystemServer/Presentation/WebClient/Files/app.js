// The web client: finds the servers, and shows either the door or the chat.

import { Chat } from './chat.js'
import { loadServers } from './configuration.js'
import { byId } from './dom.js'
import { Session } from './session.js'
import { SignInView } from './sign-in-view.js'

async function start() {
  const servers = await loadServers()
  const session = new Session(servers.system)
  let chat = null
  const begin = () => {
    chat = new Chat(servers, session)
    chat.open()
  }
  const door = new SignInView(session, begin)
  session.addEventListener('ended', ({ detail }) => {
    chat?.close()
    chat = null
    door.show(detail)
  })
  for (const button of document.querySelectorAll('dialog .close')) {
    button.addEventListener('click', () => button.closest('dialog').close())
  }
  if (session.userId === undefined) door.show()
  else begin()
}

start().catch(error => {
  console.error(error)
  byId('trouble').textContent = 'The chat cannot be started. Try to load the page again.'
  byId('trouble').hidden = false
})
