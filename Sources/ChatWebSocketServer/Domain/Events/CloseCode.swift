/// The close codes of the contract (RFC 6455 section 7.4; 4000 to 4999 are for applications).
enum CloseCode: UInt16, Sendable, CaseIterable {
    case normal = 1000
    case goingAway = 1001
    case protocolError = 1002
    case unsupportedData = 1003
    case invalidData = 1007
    /// Never sent: counts connections that ended without a close frame (RFC 6455 section 7.4.1).
    case abnormal = 1006
    case messageTooBig = 1009
    case restart = 1012
    case tryAgainLater = 1013
    case unauthorized = 4401
    case notAMember = 4403
    case noSuchRoom = 4404
    case tokenExpired = 4408
    case aheadOfLog = 4409
    case tooMany = 4429

    /// Whether a peer may send this code in a close frame.
    static func isValidFromPeer(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

/// Why a session ends: the code and the reason of its close frame.
struct CloseReason: Error, Equatable, Sendable {
    let code: CloseCode
    let reason: String

    init(_ code: CloseCode, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// The sign-in of the session's token has ended.
    static let signInEnded = CloseReason(.unauthorized, "the sign-in has ended")
}
