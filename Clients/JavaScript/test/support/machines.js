// How the cases' inputs reach the machines. An input's name is the method's.

import { Connection } from '../../src/core/connection.js'
import { OutboxQueue } from '../../src/core/outbox.js'
import { Reader } from '../../src/core/reader.js'
import { RoomList } from '../../src/core/room-list.js'
import { RoomLog } from '../../src/core/room-log.js'
import { renewAfterMs } from '../../src/core/token.js'

export const machines = {
  connection(given) {
    const machine = new Connection(given)
    return {
      apply(input, argument) { machine[input]?.(argument); return machine.take() },
      at(now) { machine.timePassed(now); return machine.take() },
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

machines['room-list'] = given => {
  const machine = new RoomList(given)
  const frames = {
    rooms: frame => machine.rooms(frame).map(roomId => ({ gone: { roomId } })),
    room_added: frame => machine.added(frame),
    room_removed: frame => (machine.removed(frame) ? [{ gone: { roomId: frame.roomId } }] : []),
    room_reset: frame => machine.reset(frame),
    room_skipped: frame => machine.skipped(frame),
    room_changed: frame => machine.changed(frame),
  }
  return {
    apply(input, argument) {
      if (input === 'begin') machine.begin()
      else if (input === 'read') machine.read(argument.roomId, argument.seq)
      else if (input === 'deleted') machine.deleted(argument)
      else if (frames[argument.eventType]) return frames[argument.eventType](argument) || []
      else {
        const became = machine.event(argument)
        return became === 'taken' ? [] : [{ [became]: { roomId: argument.roomId, seq: argument.seq } }]
      }
    },
    snapshot: () => ({ rooms: machine.list }),
  }
}

machines.outbox = given => {
  const machine = new OutboxQueue(given)
  return {
    apply(input, argument) {
      // A process that is signed out takes no part in sending.
      if (input === 'hold' || input === 'resume') return machine.sender({ isSender: input === 'resume' })
      return machine[input](argument).map(({ keep, ...action }) => (keep ? { keep: { ...keep, ifOpen: keep.ifOpen && true } } : action))
    },
    at: now => machine.timePassed(now),
    snapshot: () => ({ posts: [...machine.posts.values()], nextDeadline: machine.nextDeadline }),
  }
}

machines.reader = given => {
  const machine = new Reader(given)
  return {
    apply: (input, argument) => seqOf(machine[input](argument)),
    snapshot: () => ({ position: machine.position }),
  }
}

machines.token = () => ({
  apply: (input, { remainingMs, lifeMs }) => [{ renew: { afterMs: renewAfterMs(remainingMs, lifeMs) } }],
})
