// What stands around the messages of the open room.

import { byId } from './dom.js'
import { avatar } from './message-view.js'
import { isolated } from './names.js'
import { roomName } from './sidebar.js'
import { t } from './strings.js'

/** `isKnown`: whether the room is one's own is known; `typists`: names. */
export function renderHead(room, { isMember, isArchived, isKnown, typists }) {
  const { info } = room, name = info ? roomName(info) : room.id
  if (byId('room-name').textContent !== name) {
    byId('room-name').textContent = name
    byId('room-avatar').replaceChildren(avatar(name, room.id, info?.type === 'direct' ? '' : 'room'))
  }
  say(byId('room-state'), info && info.type !== 'direct' ? t('members', info.memberCount) : '')
  say(byId('typing'), typists.length > 0 ? t('typing', typists.map(isolated)) : '')
  const notice = room.state === 'gone' ? t('roomGone', isolated(name)) : room.state === 'reset' ? t('roomReset') : ''
  say(byId('room-notice'), notice)
  byId('room-notice').hidden = notice === ''
  byId('show-members').hidden = !isMember
  byId('composer').hidden = !isMember || isArchived
  byId('no-composer').hidden = isMember && !isArchived
  say(byId('no-composer-text'), isArchived ? t('archivedRoom') : !room.isGuest ? notice : isKnown ? t('previewRoom') : t('noConnectionYet'))
  byId('join-room').hidden = isMember || isArchived || info?.type !== 'public' || !isKnown
}

/** What stands above the oldest message that is loaded. */
export function renderHistory({ trouble, isLoading, hasMore }) {
  say(byId('history-trouble'), trouble || (isLoading ? t('loading') : hasMore ? '' : t('beginning')))
  byId('older').hidden = !trouble || isLoading
}

/** Words that are said again are read out again. */
function say(place, words) { if (place.textContent !== words) place.textContent = words }
