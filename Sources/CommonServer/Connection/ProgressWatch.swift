import NIOCore

/// Tells whether a peer has stopped taking what waits to be sent to it. Pure, no I/O.
struct ProgressWatch {
    private let timeout: TimeAmount
    /// How much waited at the last change, and when that was.
    private var queued = 0
    private var since = NIODeadline.uptimeNanoseconds(0)

    init(timeout: TimeAmount) { self.timeout = timeout }

    /// - Parameter queued: bytes that wait, those in the kernel included.
    /// - Returns: whether something has waited and nothing has changed for as long as the timeout.
    mutating func isStalled(queued: Int, at now: NIODeadline) -> Bool {
        guard queued > 0, queued == self.queued else {
            self.queued = queued
            since = now
            return false
        }
        return now - since >= timeout
    }
}
