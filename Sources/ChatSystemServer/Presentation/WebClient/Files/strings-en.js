// English.

const names = list => list.length === 1 ? list[0] : `${list.slice(0, -1).join(', ')} and ${list.at(-1)}`

export const english = {
  // Signing in
  signIn: 'Sign in', createAccount: 'Create an account', haveAccount: 'I have an account',
  username: 'User name', shownName: 'Name shown to others', optional: 'optional', password: 'Password',
  welcome: 'Chat', pleaseSignIn: 'Please sign in again.',
  passwordHint: '8 characters or more', usernameHint: '3–32 letters, digits, dots, dashes, underscores',
  // The side bar
  rooms: 'Rooms', newRoom: 'New room', settings: 'Settings', signOut: 'Sign out',
  search: 'Search', searchRooms: 'Search rooms and people',
  noRooms: 'No rooms yet. Create one, or search for one to join.', noMatches: 'Nothing found.',
  publicRooms: 'Public rooms', people: 'People', yourRooms: 'Your rooms', join: 'Join', joinRoom: name => `Join ${name}`,
  message: 'Message', messageTo: name => `Message ${name}`, archived: 'Archived', draft: 'Draft',
  unread: count => count > 999 ? '999+ unread' : `${count} unread`, you: 'You', loading: 'Loading…',
  members: count => count === 1 ? '1 member' : `${count} members`,
  // The state of the connection
  connecting: 'Connecting…', syncing: 'Catching up…', tryNow: 'Try now',
  offline: seconds => seconds > 1 ? `No connection. Next try in ${seconds} s.` : 'No connection. Trying again…',
  offlineDevice: 'You are offline. Messages are sent when you are back.',
  storageMemory: 'This browser keeps nothing for this page: unsent messages are lost when it is closed.',
  // A room
  chooseRoom: 'Choose a room, or create a new one.', back: 'Back to the rooms', roomMenu: 'Members and settings',
  messages: 'Messages', olderMessages: 'Show older messages', toNewest: 'Jump to newest',
  newMessages: count => count === 1 ? '1 new message' : `${count} new messages`, newLine: 'New',
  beginning: 'This is the beginning of the room.', historyFailed: 'Older messages could not be loaded.',
   today: 'Today', yesterday: 'Yesterday', edited: 'edited',
  typing: list => list.length > 2 ? 'Several people are typing…' : `${names(list)} ${list.length === 1 ? 'is' : 'are'} typing…`,
  readBy: list => list.length > 3 ? `Read by ${list.length}` : `Read by ${names(list)}`,
  archivedRoom: 'This room is archived. You can read it, but not write.',
  roomGone: name => `You are no longer in ${name}.`, noSuchRoom: 'There is no such room, or you are not in it.',
  previewRoom: 'You are not a member of this room yet.', roomReset: 'The server restored this room from a backup.',
  noConnectionYet: 'Shown without a live connection. You can write as soon as there is one.', retry: 'Try again',
  // What happened
  joined: name => `${name} joined`, left: name => `${name} left`, added: (actor, name) => `${actor} added ${name}`,
  removed: (actor, name) => `${actor} removed ${name}`, archivedBy: actor => `${actor} archived the room`,
  renamed: (actor, name) => `${actor} named the room ${name}`,
  roleChanged: (name, role) => `${name} is now ${{ owner: 'the owner', admin: 'an admin' }[role] ?? 'a member'}`,
  // A message
  reply: 'Reply', edit: 'Edit', delete: 'Delete', copy: 'Copy', copyLink: 'Copy link', copied: 'Copied',
  tools: name => `Actions for the message from ${name}`, replyTo: name => `Replying to ${name}`, editing: 'Editing a message',
  deletedMessage: 'This message was deleted', originalMissing: 'The original message is not available',
  confirmDelete: 'Delete this message for everybody?', sending: 'Sending…', queued: 'Waiting to be sent',
  notSent: reason => `Not sent: ${reason}`, uncertain: 'It may have been sent. Check before you send it again.',
  discard: 'Discard', takeBack: 'Take back', picture: 'Picture', video: 'Video', audio: 'Audio', file: 'File',
  place: text => `Place: ${text}`, sticker: text => `Sticker ${text}`, unknownMessage: 'This page cannot show this message.',
  enlarge: 'Enlarge picture', close: 'Close', tooFarBack: 'That message is too far back to jump to.',
  messageFrom: (name, text) => `${name}: ${text}`,
  // Writing
  write: 'Write a message', send: 'Send', cancel: 'Cancel', save: 'Save', emoji: 'Emoji', searchEmoji: 'Search emoji',
  left_characters: left => left >= 0 ? `${left} characters left` : `${-left} characters too many`,
  // Dialogs
  roomName: 'Name', roomKind: 'Who can join', kindPublic: 'Public: anyone can find it and join',
  kindPrivate: 'Private: only people who are added', addPeople: 'Add people', startTyping: 'name or user name',
  create: 'Create', peopleFound: 'People found', chosenPeople: 'Chosen people', remove: 'Remove',
  removePerson: name => `Remove ${name}`, addPerson: name => `Add ${name}`, rename: 'Rename', archive: 'Archive room',
  leave: 'Leave room', owner: 'Owner', admin: 'Admin', more: 'Show more', copyInvitation: 'Copy invitation link',
  makeAdmin: 'Make admin', makeMember: 'Make member', noPeople: 'No matching people.',
  confirmArchive: name => `Archive ${name} for everybody? Nobody can write in it any more.`,
  confirmLeave: name => `Leave ${name}?`, confirmRemove: name => `Remove ${name} from the room?`,
  confirmUnsent: count => `${count === 1 ? '1 message has' : `${count} messages have`} not been sent. Sign out and lose ${count === 1 ? 'it' : 'them'}?`,
  // Settings
  language: 'Language', automatic: 'Automatic', theme: 'Appearance', light: 'Light', dark: 'Dark',
  previews: 'Show pictures and videos of links', previewsHint: 'The site that a link leads to then learns your address.',
  notifications: 'Desktop notifications', notificationsBlocked: 'This browser blocks notifications from this page.',
  whoMayAdd: 'Who can add me to rooms', everyone: 'Everyone', sharedRooms: 'People who share a room with me', nobody: 'Nobody',
  changePassword: 'Change password', currentPassword: 'Current password', newPassword: 'New password',
  passwordChanged: 'The password was changed. All other devices were signed out.', saved: 'Saved',
  // Errors
  error_network: 'The server cannot be reached. Please try again.', error_timeout: 'The server did not answer in time.',
  error_invalid_credentials: 'User name or password is wrong.', error_username_taken: 'This user name is taken.',
  error_not_addable: 'This person does not let others add them.', error_left_room: 'This person left the room and has to join again.',
  error_room_archived: 'The room is archived.', error_message_deleted: 'The message was deleted.',
  error_rate_limited: 'Too fast. Please wait a moment.', error_room_full: 'The room is full.',
  error_validation_failed: 'The server does not accept this.', error_not_a_member: 'You are not a member of this room.',
  error_room_not_found: 'There is no such room, or you are not in it.', error_message_not_found: 'The message is not available.',
  error_already_member: 'This person is already in the room.', error_user_not_found: 'There is no such person.',
  error_owner_role: 'Only the owner can do this.', error_forbidden: 'You may not do this.', error_too_many_rooms: 'You have too many rooms.',
  error_server_error: 'The server could not store it.', error_signed_out: 'Please sign in again.',
  error_too_large: 'The message is too large.', error_client_message_id_reused: 'It was already sent with other content.',
}
