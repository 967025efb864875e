import CommonAuth
import CommonUtil
import NIOCore

/// The policy: who may open a session of which room.
///
/// Nobody waits in a task of their own: what can be told from memory is told at once, and those who need a look into
/// the database look together (``AdmissionQueue``).
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

    typealias Verdict = Result<Admission, CloseReason>
    /// Called once, on the event loop of the socket.
    typealias Answer = @Sendable (Verdict) -> Void

    let authMode: AuthMode
    let tokens: TokenVerifier
    let limits: SocketLimits
    let queue: AdmissionQueue

    /// To be called on the event loop of the socket, which may be answered before this returns.
    func admit(_ visitor: Visitor, on eventLoop: any EventLoop, answer: @escaping Answer) {
        do throws(CloseReason) {
            if authMode == .trusted {
                let user = visitor.request.claimedUserID.map { AuthenticatedUser(userID: $0, tokenExpiresAt: nil) }
                return try enter(visitor, as: user, answer)
            }
            guard let token = visitor.token else { throw CloseReason(.unauthorized, ErrorCode.missingToken.title) }
            if let user = tokens.cached(token) { return try enter(visitor, as: user, answer) }
            verify(token, of: visitor, on: eventLoop, answer)
        } catch {
            answer(.failure(error))
        }
    }

    /// Checking a signature would hold up an event loop.
    private func verify(_ token: String, of visitor: Visitor, on eventLoop: any EventLoop, _ answer: @escaping Answer) {
        eventLoop.makeFutureWithTask { await Self.user(by: token, tokens) }.whenSuccess { user in
            do throws(CloseReason) {
                try enter(visitor, as: try user.get(), answer)
            } catch {
                answer(.failure(error))
            }
        }
    }

    private static func user(by token: String, _ tokens: TokenVerifier) async -> Result<AuthenticatedUser, CloseReason>
    {
        do throws(ChatError) {
            return .success(try await tokens.verify(token))
        } catch {
            switch error.code {
            case .unavailable: return .failure(CloseReason(.tryAgainLater, error.detail))
            default: return .failure(CloseReason(.unauthorized, ErrorCode.invalidToken.title))
            }
        }
    }

    private func enter(_ visitor: Visitor, as user: AuthenticatedUser?, _ answer: @escaping Answer) throws(CloseReason)
    {
        let place = try limits.admit(userID: user?.userID, address: visitor.address)
        queue.append(AdmissionQueue.Knock(visitor: visitor, user: user, place: place, answer: answer))
    }
}
