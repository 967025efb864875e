import CommonServer
import CommonUtil
import Metrics
import NIOConcurrencyHelpers

/// How many sockets may be open on this server: in all, for a user and for an address. 0 means any number.
final class SocketLimits: Sendable {
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
    private let state = NIOLockedValueBox(State())
    private let refusedForTotal = RateLimitName.sockets.refusals
    private let refusedForUser = RateLimitName.socketsPerUser.refusals
    private let refusedForAddress = RateLimitName.socketsPerAddress.refusals

    init(_ bounds: Bounds) { self.bounds = bounds }

    /// Takes a place for as long as the lease lives.
    /// - Throws: 4429 where a bound is reached.
    func admit(userID: UserID?, address: String) throws(CloseReason) -> Lease {
        let refused: Counter? = state.withLockedValue { state in
            if Self.isFull(state.total, bounds.total) { return refusedForTotal }
            if let userID, Self.isFull(state.users[userID], bounds.perUser) { return refusedForUser }
            if Self.isFull(state.addresses[address], bounds.perAddress) { return refusedForAddress }
            state.total += 1
            // Nothing is counted that nobody asks for.
            if bounds.perUser > 0, let userID { state.users[userID, default: 0] += 1 }
            if bounds.perAddress > 0 { state.addresses[address, default: 0] += 1 }
            return nil
        }
        if let refused {
            refused.increment()
            throw CloseReason(.tooMany, "too many sockets are open")
        }
        return Lease { self.release(userID: userID, address: address) }
    }

    private func release(userID: UserID?, address: String) {
        state.withLockedValue { state in
            state.total -= 1
            if let userID { Self.decrement(&state.users[userID]) }
            Self.decrement(&state.addresses[address])
        }
    }

    private static func isFull(_ count: Int?, _ bound: Int) -> Bool { bound > 0 && (count ?? 0) >= bound }

    private static func decrement(_ count: inout Int?) {
        guard let old = count else { return }
        count = old > 1 ? old - 1 : nil
    }
}
