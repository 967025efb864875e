import ChatEventBus
import ChatEvents
import CommonAuth
import CommonUtil

/// What clients may do over an open socket.
struct SessionCommands: Sendable {
    let authMode: AuthMode
    let tokens: TokenVerifier
    let directory: any RoomDirectory
    let broadcast: WebSocketBroadcastService
    let receipts: ReadReceiptPublisher

    /// Tells the room's other sessions that the user types, or no longer does.
    func tellTyping(_ isTyping: Bool, in roomID: RoomID, by userID: UserID?, sessionID: String) throws(FrameError) {
        broadcast.tellTyping(isTyping, in: roomID, by: try Self.required(userID), sessionID: sessionID)
    }

    /// Marks the room read and tells it.
    /// - Throws: `not_allowed` for one who may not, `unavailable`.
    func markRead(_ roomID: RoomID, by userID: UserID?, upTo seq: Seq) async throws(FrameError) {
        let userID = try Self.required(userID)
        do {
            if let receipt = try await directory.markRead(roomID, by: userID, upTo: seq) { receipts.note(receipt) }
        } catch let error as ChatError where error.code != .unavailable {
            throw FrameError(.notAllowed, error.detail)
        } catch {
            throw FrameError(.unavailable, ErrorCode.unavailable.title)
        }
    }

    /// Checks a fresh token for an open session.
    /// - Throws: `wrong_user` for another user's, `invalid_token`, `unavailable`.
    func renew(_ userID: UserID?, token: String) async throws(FrameError) -> AuthenticatedUser {
        guard authMode == .token else { throw FrameError(.notAllowed, "this server asks for no tokens") }
        let user: AuthenticatedUser
        do {
            user = try await tokens.verify(token)
        } catch {
            throw FrameError(error.code == .unavailable ? .unavailable : .invalidToken, error.detail)
        }
        guard user.userID == userID else { throw FrameError(.wrongUser, "this session is another user's") }
        return user
    }

    static func required(_ userID: UserID?) throws(FrameError) -> UserID {
        guard let userID else { throw FrameError(.notAllowed, "a socket without userId only listens") }
        return userID
    }
}
