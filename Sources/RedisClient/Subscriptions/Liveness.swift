import NIOCore

/// Whether a connection that may be silent for long is still alive: after a silence it is asked, and if it then stays
/// silent it is dead. Pure; does no I/O.
struct Liveness {
    enum Action: Equatable {
        case check(at: NIODeadline)
        case ping(checkAt: NIODeadline)
        case dead
    }

    private let interval: TimeAmount
    private let timeout: TimeAmount
    private var lastRead: NIODeadline
    private var pinged: NIODeadline?

    init(interval: TimeAmount, timeout: TimeAmount, now: NIODeadline) {
        self.interval = interval
        self.timeout = timeout
        lastRead = now
    }

    /// Any byte proves life.
    mutating func received(now: NIODeadline) {
        lastRead = now
        pinged = nil
    }

    mutating func check(now: NIODeadline) -> Action {
        if let pinged {
            return now >= pinged + timeout ? .dead : .check(at: pinged + timeout)
        }
        if now < lastRead + interval {
            return .check(at: lastRead + interval)
        }
        pinged = now
        return .ping(checkAt: now + min(interval, timeout))
    }
}
