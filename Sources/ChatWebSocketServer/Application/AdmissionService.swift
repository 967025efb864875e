import CommonAuth
import CommonUtil
import HTTPTypes
import NIOCore

/// The door: who may open a session of which room.
struct AdmissionService: Sendable {
    /// One who knocks.
    struct Visitor: Sendable {
        let request: ConnectRequest
        let token: String?
        /// The IP address that per-address limits count.
        let address: String
        /// The event loop of the socket.
        let shard: Int
    }

    /// One who may come in.
    struct Admission: Sendable {
        let request: ConnectRequest
        let user: AuthenticatedUser?
        /// The head of the room's log.
        let head: Seq
        let shard: Int
        let leases: (feed: Lease, place: Lease)
    }

    let authMode: AuthMode
    let tokens: TokenVerifier
    let directory: any RoomDirectory
    let limits: SocketLimits
    let broadcast: WebSocketBroadcastService

    /// - Throws: ``CloseReason`` for whoever may not come in.
    func admit(_ visitor: Visitor) async throws(CloseReason) -> Admission {
        let request = visitor.request
        let shard = visitor.shard
        let user = try await user(of: request, token: visitor.token)
        let place = try limits.admit(userID: user?.userID, address: visitor.address)
        do {
            // Open first, ask then: what is published in between waits in the feed.
            let feed = try await broadcast.open(request.roomID, shard: shard)
            let entry = try await entry(to: request.roomID, of: user)
            if let lastSeq = request.lastSeq, lastSeq > entry.head {
                throw CloseReason(.aheadOfLog, "lastSeq \(lastSeq) is beyond the head \(entry.head)")
            }
            try await broadcast.attach(request.roomID, shard: shard, head: entry.head)
            return Admission(
                request: request, user: user, head: entry.head, shard: shard, leases: (feed: feed, place: place))
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
