// How the cases' inputs reach the machines. An input's name is the method's.

import { Connection } from '../../src/core/connection.js'
import { RoomLog } from '../../src/core/room-log.js'

export const machines = {
  connection(given) {
    const machine = new Connection(given)
    return {
      apply: (input, argument) => machine[input](argument),
      at: now => machine.timePassed(now),
      snapshot: () => ({
        state: machine.state, reason: machine.reason, transport: machine.transport, userId: machine.userId,
        retryAt: machine.retryAt, nextDeadline: machine.nextDeadline, isAsking: machine.isAsking,
      }),
    }
  },
}

const seqOf = actions => actions.map(action => {
  const [[name, value]] = Object.entries(action)
  return value?.event ? { [name]: { seq: value.event.seq } } : action
})

machines['room-log'] = given => {
  const machine = new RoomLog(given)
  let page
  const ask = asked => { page = asked ?? page; return asked ? [{ getPage: { ...asked } }] : [] }
  const inputs = {
    frame(frame) {
      switch (frame.eventType) {
        case 'caught_up': return machine.caughtUp()
        case 'room_reset': return machine.reset(frame)
        case 'room_skipped': return machine.skipped(frame)
        case 'room_removed': return machine.removed()
        case 'room_added': return machine.added({ seq: frame.room.lastSeq, mark: frame.room.mark })
        default: return frame.seq === undefined ? machine.signal(frame) : machine.event(frame)
      }
    },
    page: ({ items, hasMore }) => ask(machine.timeline.page(items, hasMore, page)),
    pageFailed: () => machine.timeline.pageFailed(),
    posts: posts => machine.timeline.setPosts(posts),
    changed: message => machine.timeline.change(message),
    loadOlder: ({ limit }) => ask(machine.timeline.loadOlder(limit)),
    toEnd: () => machine.timeline.toEnd(),
  }
  return {
    apply: (input, argument) => seqOf((inputs[input] ?? (value => machine[input](value)))(argument) ?? []),
    snapshot: () => ({
      state: machine.state, position: machine.position, messages: machine.timeline?.messages,
      isAtEnd: machine.timeline?.isAtEnd, newerCount: machine.timeline?.newerCount, hasMore: machine.timeline?.hasMore,
    }),
  }
}
