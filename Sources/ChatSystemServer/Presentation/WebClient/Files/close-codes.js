// What a client does when a socket was closed.

export const Reaction = Object.freeze({
  /** Come back with `lastSeq` after a pause. */
  resume: 'resume',
  /** The same, with a fresh token. */
  refresh: 'refresh',
  /** The same, but not soon: something is used too much. */
  wait: 'wait',
  /** Forget the log and begin without `lastSeq`. */
  restart: 'restart',
  /** The room is not, or no longer, this user's. */
  leave: 'leave',
})

const reactions = new Map([
  [1007, Reaction.leave],
  [4401, Reaction.refresh],
  [4403, Reaction.leave],
  [4404, Reaction.leave],
  [4408, Reaction.refresh],
  [4409, Reaction.restart],
  [4429, Reaction.wait],
])

/** Any other code, also none at all, is a link that broke or a server that went away. */
export const reactionTo = code => reactions.get(code) ?? Reaction.resume
