// Uploaded files in messages: pictures, videos and audio inline, everything else as a download. Their size is fixed
// before they load. URLs expire: they are requested when a file is shown, and again when the server rejects one.

import { endingOf, pictureBox, sizeText } from './attaching.js'
import { element, icon, isolate } from './dom.js'
import { errorText, language, t } from './strings.js'

/** An older URL is renewed before a download uses it. */
const FRESH_MS = 25 * 60_000

/** `files`: `info(roomId, fileId, options)`, `preview(message)`; `act(name, about)` as of other messages. */
export function fileElement(file, row, act, files) {
  switch (file.kind) {
    case 'picture': return pictureElement(file, row, act, files)
    case 'video': case 'audio': return playerElement(file, row, files)
    default: return downloadElement(file, row, files)
  }
}

function pictureElement(file, row, act, files) {
  const picture = element('img', { alt: file.name, decoding: 'async', draggable: false })
  const { width, height } = pictureBox(file.width, file.height)
  const button = element('button', {
    type: 'button', tabIndex: -1, className: 'picture', onclick: () => act('enlarge', { message: row.message }),
    aria: { label: `${t('enlarge')}: ${file.name}` },
  }, picture)
  button.style.width = `${width}px`
  button.style.aspectRatio = `${width} / ${height}`
  load(picture, button, file, row, files, info => info.thumbnailUrl ?? info.url)
  return button
}

function playerElement(file, row, files) {
  const player = element(file.kind, { controls: true, preload: 'metadata', tabIndex: -1, playsInline: true, aria: { label: file.name } })
  const place = element('figure', { className: file.kind, data: { player: file.fileId } }, player, element('figcaption', {}, isolate(file.name)))
  load(player, place, file, row, files, info => {
    if (info.thumbnailUrl && file.kind === 'video') player.poster = info.thumbnailUrl
    return info.url
  })
  return place
}

/**
 * Players that have begun go on in the element that replaces the old one. Moved within one task they do not pause
 * (HTML, 4.8.11.8: only what is in no document at a stable state pauses).
 */
export function keepPlayers(old, node) {
  for (const place of old.querySelectorAll('[data-player]')) {
    const player = place.matches('video, audio') ? place : place.querySelector('video, audio')
    if (!player || (player.paused && player.currentTime === 0)) continue
    const next = [...node.querySelectorAll('[data-player]')].find(({ dataset }) => dataset.player === place.dataset.player)
    next?.replaceWith(place)
  }
}

/** Sets the source of an element: the local file if this page has sent it, otherwise the URL of the server. */
function load(node, place, file, row, files, sourceOf) {
  const local = files.preview(row.message)
  let triesLeft = 1, at = 0
  const use = async isFresh => {
    const info = await infoOf(file, row, files, { fresh: isFresh, isWanted: () => node.isConnected })
    if (!node.isConnected) return
    if (!info) return fail(t('fileGone'))
    node.src = sourceOf(info)
    // Where it had been playing.
    if (at > 0) node.currentTime = at
  }
  const fail = words => {
    if (place.classList.contains('broken')) return
    place.classList.add('broken')
    place.append(element('span', { className: 'gone' }, isolate(file.name), element('br'), words))
  }
  node.addEventListener('error', () => {
    // An own file that is not a picture, whatever its name says. Otherwise an expired URL, renewed once.
    if (file.fileId === '') return fail('')
    // It is there, but this browser cannot show it.
    if (triesLeft === 0) return place.replaceWith(downloadElement(file, row, files))
    triesLeft -= 1
    at = node.currentTime ?? 0
    use(true)
  })
  node.addEventListener('load', () => { triesLeft = 1 })
  node.addEventListener('playing', () => { triesLeft = 1 })
  if (local) node.src = local
  else if (file.fileId !== '') use(false)
}

/** The metadata of a file; `undefined` if it is gone or no longer needed. */
async function infoOf({ fileId }, { message }, files, options) {
  try { return await files.info(message.roomId, fileId, options) } catch { return undefined }
}

function downloadElement(file, row, files) {
  const size = file.size === undefined ? '' : sizeText(file.size, language)
  const link = element(
    'a', { className: 'file', tabIndex: -1, rel: 'noopener noreferrer', aria: { label: [`${t('download')}: ${file.name}`, size].filter(Boolean).join(', ') } },
    fileIcon(file.name),
    element('span', { className: 'name', title: file.name }, isolate(file.name)), element('span', { className: 'size' }, size))
  let at = -Infinity, isAsked = false
  const place = async fresh => {
    const failed = error => { link.title = errorText(error) }
    const info = await infoOf(file, row, files, { fresh, isWanted: () => link.isConnected, failed })
    if (!info) { link.classList.add('broken'); link.title = t('fileGone'); return false }
    link.classList.remove('broken')
    link.title = ''
    link.href = info.url
    link.download = file.name
    // For another host `download` is ignored: neither the file nor an error may replace the page.
    link.target = '_blank'
    at = Date.now()
    return true
  }
  link.addEventListener('click', async event => {
    if (Date.now() - at < FRESH_MS) return
    event.preventDefault()
    // Offline it waits. Further clicks start no further download.
    if (file.fileId === '' || isAsked) return
    isAsked = true
    const isThere = await place(true)
    isAsked = false
    if (isThere) link.click()
  })
  if (file.fileId !== '') place(false)
  return link
}

/** A sheet of paper with the ending of the name. */
export const fileIcon = name => element('span', { className: 'sheet', attributes: { 'aria-hidden': 'true' } }, endingOf(name) || icon('file'))
