import CommonServer
import NIOCore

/// Cuts connections that have not made their first request in time. Not a timer for each: NIO looks through all timers
/// of an event loop to cancel one, and clients that never finish their request would make that slow for all.
final class HandshakeDeadlines: Sendable {
    private static let tick = TimeAmount.milliseconds(250)
    private static let ticks = Int(RequestBounds.headTimeout.nanoseconds / tick.nanoseconds)

    private let wheels: [ObjectIdentifier: NIOLoopBoundBox<TickWheel<HandshakeHandler>>]

    init(eventLoops: some Sequence<any EventLoop>) {
        wheels = Dictionary(
            uniqueKeysWithValues: eventLoops.map { eventLoop in
                let wheel = TickWheel<HandshakeHandler>(eventLoop: eventLoop, tick: Self.tick, longest: Self.ticks)
                wheel.onDue = { $0.cut() }
                return (ObjectIdentifier(eventLoop), .makeBoxSendingValue(wheel, eventLoop: eventLoop))
            })
    }

    /// Both are to be called on the connection's event loop, one of those given.
    func begin(_ handler: HandshakeHandler, on eventLoop: any EventLoop) {
        wheels[ObjectIdentifier(eventLoop)]?.value.schedule(handler, in: Self.ticks)
    }

    func end(_ handler: HandshakeHandler, on eventLoop: any EventLoop) {
        wheels[ObjectIdentifier(eventLoop)]?.value.cancel(handler)
    }
}
