/// Detects peers that no longer respond. Pure: no I/O.
///
/// An idle peer is pinged and must send something, unless it cannot. While bytes are queued for a peer a ping would wait behind
/// them; then the peer must take some of them from time to time.
struct Heartbeat {
    /// Interval of pings to an idle peer.
    static let pingInterval = Duration.seconds(25)
    /// Interval of pings to an idle peer that cannot answer. They keep proxies from ending the connection.
    static let unansweredPingInterval = Duration.seconds(15)
    /// Time for the answer to a ping.
    static let answerTime = Duration.seconds(10)
    /// Time after which a peer that takes no queued bytes is closed.
    static let stallTime = Duration.seconds(60)
    /// Interval of checks of a peer with bytes queued.
    static let stallCheckInterval = Duration.seconds(5)

    /// What to do about a peer.
    enum Action: Equatable {
        case none
        case ping
        /// Close the connection: the peer did not answer a ping.
        case drop
        /// Close with 1013: the peer takes none of the bytes queued for it.
        case closeStalled
    }

    private let expectsAnswers: Bool
    private var isAwaitingAnswer = false
    private var wasPinged = false
    private var bytesTaken = 0
    /// Time since a queued byte was taken; `nil` while none are queued.
    private var stalledFor: Duration?

    /// - Parameter expectsAnswers: whether the peer can answer a ping.
    init(expectsAnswers: Bool = true) { self.expectsAnswers = expectsAnswers }

    /// Interval of pings while nothing is queued.
    var interval: Duration { expectsAnswers ? Self.pingInterval : Self.unansweredPingInterval }

    /// Notes that the peer sent something.
    mutating func received() { isAwaitingAnswer = false }

    /// Checks the peer. To be called first after ``interval``, then after the interval that the last call returned.
    /// - Parameters:
    ///   - elapsed: time since the last call.
    ///   - bytesQueued: bytes that the socket has not taken yet.
    ///   - bytesWritten: total of bytes that were queued.
    mutating func due(elapsed: Duration, bytesQueued: Int, bytesWritten: Int) -> (action: Action, next: Duration) {
        let taken = bytesWritten - bytesQueued
        defer { bytesTaken = taken }
        guard bytesQueued == 0 else {
            isAwaitingAnswer = false
            wasPinged = false
            // Bytes that were not seen queued before may have been queued just now.
            let stalledFor = taken > bytesTaken ? .zero : self.stalledFor.map { $0 + elapsed } ?? .zero
            self.stalledFor = stalledFor
            return (stalledFor >= Self.stallTime ? .closeStalled : .none, Self.stallCheckInterval)
        }
        stalledFor = nil
        guard expectsAnswers else { return (.ping, interval) }
        if isAwaitingAnswer { return (.drop, Self.pingInterval) }
        if wasPinged {
            wasPinged = false
            return (.none, Self.pingInterval - Self.answerTime)
        }
        wasPinged = true
        isAwaitingAnswer = true
        return (.ping, Self.answerTime)
    }
}
