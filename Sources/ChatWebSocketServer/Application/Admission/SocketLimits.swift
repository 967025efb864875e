import CommonServer
import CommonUtil
import Metrics
import Synchronization

/// Bounds the open sockets of this server: in total, per user and per address.
final class SocketLimits: Sendable {
    /// Numbers of open sockets; 0 means no limit.
    struct Bounds: Sendable {
        var total = 0
        var perUser = 0
        var perAddress = 0
    }

    private struct State {
        var total = 0
        var users: [UserID: Int] = [:]
        var addresses: [String: Int] = [:]
    }

    private let bounds: Bounds
    private let state = Mutex(State())
    private let refusedForTotal = RateLimitName.sockets.refusals
    private let refusedForUser = RateLimitName.socketsPerUser.refusals
    private let refusedForAddress = RateLimitName.socketsPerAddress.refusals

    init(_ bounds: Bounds) { self.bounds = bounds }

    /// Whether sockets are counted by address.
    var countsAddresses: Bool { bounds.perAddress > 0 }

    /// Takes a slot, which is free again when the lease is deallocated.
    /// - Parameter address: needed where ``countsAddresses``.
    /// - Throws: 4429 if a bound is reached.
    func admit(userID: UserID?, address: String?) throws(CloseReason) -> Lease {
        let refused: Counter? = state.withLock { state in
            if Self.isFull(state.total, bounds.total) { return refusedForTotal }
            if let userID, Self.isFull(state.users[userID], bounds.perUser) { return refusedForUser }
            if let address, Self.isFull(state.addresses[address], bounds.perAddress) { return refusedForAddress }
            state.total += 1
            // Without a limit there is nothing to count.
            if bounds.perUser > 0, let userID { state.users[userID, default: 0] += 1 }
            if countsAddresses, let address { state.addresses[address, default: 0] += 1 }
            return nil
        }
        if let refused {
            refused.increment()
            throw CloseReason(.tooMany, "too many sockets are open")
        }
        return Lease { self.release(userID: userID, address: address) }
    }

    private func release(userID: UserID?, address: String?) {
        state.withLock { state in
            state.total -= 1
            if let userID { Self.decrement(&state.users[userID]) }
            if let address { Self.decrement(&state.addresses[address]) }
        }
    }

    private static func isFull(_ count: Int?, _ bound: Int) -> Bool { bound > 0 && (count ?? 0) >= bound }

    private static func decrement(_ count: inout Int?) {
        guard let old = count else { return }
        count = old > 1 ? old - 1 : nil
    }
}
