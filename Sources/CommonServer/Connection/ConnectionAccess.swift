import CommonUtil
import NIOCore

/// What a connection may ask for.
enum ConnectionAccess: Equatable, Sendable {
    case all
    /// Descriptors are nearly used up: only health checks and metrics, one request each.
    case operations

    /// In which a head must have arrived.
    var headTimeout: TimeAmount {
        switch self {
        case .all: RequestBounds.headTimeout
        case .operations: .seconds(2)
        }
    }

    /// - Returns: the error that answers such a request; `nil` where it may be made.
    func refusal(of head: RequestHead) -> ChatError? {
        switch self {
        case .all: nil
        case .operations:
            ["/health/live", "/health/ready", "/metrics"].contains { head.isTarget($0) }
                ? nil : .unavailable("The server has no place for more connections")
        }
    }
}
