import CommonUtil

/// The query of a handshake: `/ws/chat?roomId=R[&userId=U][&lastSeq=N]`.
struct ConnectRequest: Equatable, Sendable {
    static let path = "/ws/chat"

    let roomID: RoomID
    /// The user that the client claims to be; read in `trusted` mode only.
    let claimedUserID: UserID?
    /// The last event that the client has; `nil` if it wants live events only.
    let lastSeq: Seq?

    /// Parses a query. Of a parameter that is given twice the last value counts.
    /// - Throws: 1007, naming the parameter that is missing or invalid.
    init(query: [(key: String, value: String)], authMode: AuthMode) throws(CloseReason) {
        func value(_ name: String) -> String? { query.last { $0.key == name }?.value }

        guard let room = value("roomId") else { throw CloseReason(.invalidData, "roomId is required") }
        guard let roomID = RoomID(room) else { throw CloseReason(.invalidData, "roomId must be \(RoomID.rule)") }
        self.roomID = roomID
        lastSeq = try value("lastSeq").map { text throws(CloseReason) in
            guard let seq = Seq(text), seq >= 0, !text.hasPrefix("+"), !text.hasPrefix("-") else {
                throw CloseReason(.invalidData, "lastSeq must be an integer not below 0")
            }
            return seq
        }
        guard authMode == .trusted, let user = value("userId") else {
            claimedUserID = nil
            return
        }
        guard let userID = UserID(text: user) else {
            throw CloseReason(.invalidData, "userId \(UserID.requirement)")
        }
        claimedUserID = userID
    }
}
