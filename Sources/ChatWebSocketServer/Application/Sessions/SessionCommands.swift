import ChatEventBus
import ChatEvents
import CommonAuth
import CommonUtil

/// Commands of clients over open sockets.
struct SessionCommands: Sendable {
    let authMode: AuthMode
    let tokens: TokenVerifier
    let directory: any RoomDirectory
    let broadcast: WebSocketBroadcastService
    let receipts: ReadReceiptPublisher

    /// Publishes to the room's other sessions that the user types, or no longer does.
    /// - Throws: `not_allowed` for a session without a user.
    func publishTyping(
        _ isTyping: Bool, in roomID: RoomID, by userID: UserID?, sessionID: SessionID
    ) throws(FrameError) {
        broadcast.publishTyping(isTyping, in: roomID, by: try Self.required(userID), sessionID: sessionID)
    }

    /// Marks the room read and publishes the receipt.
    /// - Throws: `not_allowed` if the user may not, `unavailable`.
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

    /// Verifies a fresh token for an open session.
    /// - Throws: `wrong_user` for the token of another user, `invalid_token`, `unavailable`.
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

    private static func required(_ userID: UserID?) throws(FrameError) -> UserID {
        guard let userID else { throw FrameError(.notAllowed, "a socket without userId only listens") }
        return userID
    }
}
