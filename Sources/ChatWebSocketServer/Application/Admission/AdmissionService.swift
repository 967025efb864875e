import CommonAuth
import CommonUtil
import NIOCore

/// Decides who may open a session of which room.
///
/// An admission does not wait in a task of its own: what memory can answer is answered at once, and those that need the
/// database are read together (``AdmissionQueue``).
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
        do throws(CloseReason) {
            if authMode == .trusted {
                let user = admission.request.claimedUserID.map { AuthenticatedUser(userID: $0, tokenExpiresAt: nil) }
                return try authorize(admission, as: user, completion)
            }
            guard let token = admission.stage.token else {
                throw CloseReason(.unauthorized, ErrorCode.missingToken.title)
            }
            if let user = tokens.cached(token) { return try authorize(admission, as: user, completion) }
            verify(token, of: admission, on: eventLoop, completion)
        } catch {
            completion(.failure(error))
        }
    }

    // Off the event loop, which checking a signature would block.
    private func verify(
        _ token: String, of admission: RequestedAdmission, on eventLoop: any EventLoop,
        _ completion: @escaping Completion
    ) {
        eventLoop.makeFutureWithTask { await Self.user(of: token, tokens) }.whenSuccess { user in
            do throws(CloseReason) {
                try authorize(admission, as: try user.get(), completion)
            } catch {
                completion(.failure(error))
            }
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

    private func authorize(
        _ admission: RequestedAdmission, as user: AuthenticatedUser?,
        _ completion: @escaping Completion
    ) throws(CloseReason) {
        let slot = try limits.admit(userID: user?.userID, address: admission.stage.address)
        queue.append(admission.authenticated(as: user, slot: slot), completion: completion)
    }
}
