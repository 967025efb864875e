// Where the servers are.

const FILE = '/client/v1/configuration.json'
const SYSTEM_API = '/api/v1'
const SOCKETS = '/ws/chat'

/** Asks the server that this page came from. */
export async function loadServers() {
  const answer = await fetch(FILE, { credentials: 'omit' })
  if (!answer.ok) throw new Error(`${FILE}: ${answer.status}`)
  return resolveServers(await answer.json(), window.location)
}

/** An address is a URL, or `:8081`: that port of the host the page came from, encrypted if the page was. */
export function resolveServers({ messages, sockets }, location) {
  const isSecure = location.protocol === 'https:'
  const at = (address, scheme) =>
    address.startsWith(':') ? `${scheme}${isSecure ? 's' : ''}://${location.hostname}${address}` : address
  return {
    system: location.origin + SYSTEM_API,
    message: at(messages, 'http') + SYSTEM_API,
    sockets: at(sockets, 'ws') + SOCKETS,
  }
}
