import CommonAuth
import CommonUtil
import HTTPTypes
import NIOCore

/// The door: who may open a session of which room.
struct AdmissionService: Sendable {
    /// One who may come in.
    struct Admission: Sendable {
        let request: ConnectRequest
        let user: AuthenticatedUser?
        /// The head of the room's log.
        let head: Seq
        let shard: Int
        let lease: RoomLease
    }

    let authMode: AuthMode
    let tokens: TokenVerifier
    let directory: any RoomDirectory
    let broadcast: WebSocketBroadcastService

    /// - Parameter shard: the event loop of the socket.
    /// - Throws: ``CloseReason`` for whoever may not come in.
    func admit(_ request: ConnectRequest, token: String?, shard: Int) async throws(CloseReason) -> Admission {
        let user = try await user(of: request, token: token)
        do {
            // Open first, ask then: what is published in between waits in the feed.
            let lease = try await broadcast.open(request.roomID, shard: shard)
            let entry = try await entry(to: request.roomID, of: user)
            if let lastSeq = request.lastSeq, lastSeq > entry.head {
                throw CloseReason(.aheadOfLog, "lastSeq \(lastSeq) is beyond the head \(entry.head)")
            }
            try await broadcast.attach(request.roomID, shard: shard, head: entry.head)
            return Admission(request: request, user: user, head: entry.head, shard: shard, lease: lease)
        } catch let reason as CloseReason {
            throw reason
        } catch {
            throw CloseReason(.tryAgainLater, "the service is not available right now")
        }
    }

    private func user(of request: ConnectRequest, token: String?) async throws(CloseReason) -> AuthenticatedUser? {
        if authMode == .trusted {
            return request.claimedUserID.map { AuthenticatedUser(userID: $0, tokenExpiresAt: nil) }
        }
        guard let token else { throw CloseReason(.unauthorized, ErrorCode.missingToken.title) }
        do {
            return try await tokens.verify(token)
        } catch {
            switch error.code {
            case .unavailable: throw CloseReason(.tryAgainLater, error.detail)
            default: throw CloseReason(.unauthorized, ErrorCode.invalidToken.title)
            }
        }
    }

    private func entry(to roomID: RoomID, of user: AuthenticatedUser?) async throws -> RoomEntry {
        var entry = try await directory.access(to: roomID, of: user?.userID)
        if entry == nil, authMode == .trusted {
            try await directory.makeOpenRoom(roomID)
            entry = try await directory.access(to: roomID, of: user?.userID)
        }
        guard let entry, entry.isMember || entry.isPublic else { throw CloseReason(.noSuchRoom, "no such room") }
        guard entry.isMember || authMode == .trusted else {
            throw CloseReason(.notAMember, "not a member of this room")
        }
        return entry
    }
}
