import CommonAuth
import CommonUtil
import NIOCore

/// Decides who may open a session of which room.
///
/// What is in memory is decided at once, and rooms are read from the database for many admissions together
/// (``AdmissionQueue``). Only a token that is not cached is verified in a task.
struct AdmissionService: Sendable {
    /// Called once, on the event loop of the socket.
    typealias Completion = AdmissionQueue.Completion

    let authMode: AuthMode
    let tokens: TokenVerifier
    let limits: SocketLimits
    let queue: AdmissionQueue

    /// Authenticates the user, takes a slot among the open sockets, and queues the admission for authorization.
    ///
    /// To be called on the event loop of the socket. `completion` may be called before this returns.
    func admit(
        _ admission: RequestedAdmission, on eventLoop: any EventLoop,
        completion: @escaping Completion
    ) {
        let claim = Claim(
            token: admission.stage.token, userID: admission.request.claimedUserID, address: admission.stage.address)
        authenticate(claim, on: eventLoop) { result in
            switch result {
            case .success((let user, let slot)):
                queue.append(admission.authenticated(as: user, slot: slot), completion: completion)
            case .failure(let reason): completion(.failure(reason))
            }
        }
    }

    /// Who a client says it is.
    struct Claim: Sendable {
        /// The access token, if the client sent one.
        let token: String?
        /// The user that the client claims to be; counts in `trusted` mode only.
        let userID: UserID?
        /// The client's IP address block, as limits count it; `nil` if no limit does.
        let address: String?
    }

    /// Authenticates the user and takes a slot among the open sockets.
    ///
    /// To be called on the event loop of the socket, on which `completion` is called, maybe before this returns.
    func authenticate(
        _ claim: Claim, on eventLoop: any EventLoop,
        completion: @escaping @Sendable (Result<(user: AuthenticatedUser?, slot: Lease), CloseReason>) -> Void
    ) {
        // Sockets and streams are for users, in `trusted` mode too. With tokens a key is an invalid one.
        if authMode == .trusted, let token = claim.token, ServerKeySecret.isKey(token) {
            return completion(.failure(CloseReason(.unauthorized, ErrorCode.invalidToken.title)))
        }
        if authMode == .trusted {
            return completion(takeSlot(claim.userID.map { AuthenticatedUser(userID: $0, tokenExpiresAt: nil) }, claim))
        }
        guard let token = claim.token else {
            return completion(.failure(CloseReason(.unauthorized, ErrorCode.missingToken.title)))
        }
        if let user = tokens.cached(token) { return completion(takeSlot(user, claim)) }
        // Off the event loop, which checking a signature would block.
        eventLoop.makeFutureWithTask { await Self.user(of: token, tokens) }.whenSuccess { user in
            completion(user.flatMap { takeSlot($0, claim) })
        }
    }

    /// Takes a slot for a user.
    private func takeSlot(
        _ user: AuthenticatedUser?, _ claim: Claim
    ) -> Result<(user: AuthenticatedUser?, slot: Lease), CloseReason> {
        do throws(CloseReason) {
            return .success((user, try limits.admit(userID: user?.userID, address: claim.address)))
        } catch {
            return .failure(error)
        }
    }

    private static func user(
        of token: String, _ tokens: TokenVerifier
    ) async -> Result<AuthenticatedUser, CloseReason> {
        do throws(ChatError) {
            return .success(try await tokens.verify(token))
        } catch {
            switch error.code {
            case .unavailable: return .failure(CloseReason(.tryAgainLater, error.detail))
            default: return .failure(CloseReason(.unauthorized, ErrorCode.invalidToken.title))
            }
        }
    }
}
