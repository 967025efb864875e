/// Whether a peer is still there. Pure, no I/O.
///
/// An idle peer is pinged and must answer. While bytes are queued for a peer a ping would wait behind them; then it
/// must take some of them from time to time.
struct Heartbeat {
    static let pingInterval = Duration.seconds(25)
    static let answerTime = Duration.seconds(10)
    static let stallTime = Duration.seconds(60)
    /// How often a peer with bytes queued is looked at.
    static let stallCheckInterval = Duration.seconds(5)

    enum Action: Equatable {
        case none
        case ping
        /// The peer does not answer.
        case drop
        /// The peer takes none of the bytes queued for it.
        case closeStalled
    }

    private var isAwaitingAnswer = false
    private var wasPinged = false
    private var bytesTaken = 0
    /// How long none of the queued bytes has been taken; `nil` while none are queued.
    private var stalledFor: Duration?

    /// The peer gave a sign of life.
    mutating func peerSpoke() { isAwaitingAnswer = false }

    /// Called first after ``pingInterval``, then after the interval that the last call gave.
    /// - Parameters:
    ///   - elapsed: since the last call.
    ///   - bytesQueued: not yet taken by the socket.
    ///   - bytesWritten: all that was ever queued.
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
