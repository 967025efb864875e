import CommonAuth
import CommonUtil
import HTTPTypes
import NIOCore

/// A request of a direct route: whose caller is known and whose JSON body is there.
public struct DirectCall: Sendable {
    public let user: AuthenticatedUser
    public let body: [UInt8]
}

/// The JSON answer to one.
public struct DirectResponse: Sendable {
    public let status: HTTPResponse.Status
    public let body: [UInt8]

    public init(jsonBytes: [UInt8], status: HTTPResponse.Status) {
        body = jsonBytes
        self.status = status
    }
}

/// What answers a direct call: once, at any time, from any thread. Where it throws instead, it does not answer.
public typealias DirectHandler =
    @Sendable (DirectCall, _ answer: @escaping @Sendable (Result<DirectResponse, any Error>) -> Void) throws -> Void

/// Whether a caller may have its call looked at: asked before that, it answers once, with what speaks against it.
public typealias DirectAdmission =
    @Sendable (AuthenticatedUser, _ proceed: @escaping @Sendable (ChatError?) -> Void) -> Void

/// The calls that are answered on their connection's event loop, without a task of their own: those that a busy server
/// answers thousands of times a second. A task for each request, its contexts and its way through threads and back cost
/// more than all that is done in it.
///
/// Only the plain case is taken: a caller who is known at once and a body of a known, allowed length. All else goes
/// through the router, which has the same route with the same handler.
struct DirectRoutes: Sendable {
    struct Route: Sendable {
        let path: String
        let admission: DirectAdmission
        let handler: DirectHandler

        func answer(_ call: DirectCall, _ answer: @escaping @Sendable (Result<DirectResponse, any Error>) -> Void) {
            do {
                try handler(call, answer)
            } catch {
                answer(.failure(error))
            }
        }
    }

    let routes: [Route]
    let authenticator: Authenticator
    let envelope: ResponseEnvelope
    let date: HTTPDate
    let heads: DirectResponseHeads
    let isServing: @Sendable () -> Bool

    init(
        routes: [Route], authenticator: Authenticator, envelope: ResponseEnvelope, date: HTTPDate,
        isServing: @escaping @Sendable () -> Bool
    ) {
        self.routes = routes
        self.authenticator = authenticator
        self.envelope = envelope
        self.date = date
        self.isServing = isServing
        heads = DirectResponseHeads(envelope: envelope, date: date)
    }

    /// - Returns: the route that takes this request, and its caller; `nil` where the router has to see it.
    func accept(_ head: RequestHead) -> (route: Route, user: AuthenticatedUser)? {
        guard head.isMethod("POST"), let route = routes.first(where: { head.isTarget($0.path) }), isServing(),
            head.has("content-length"), head.contentLength <= RequestBounds.maximumBodyBytes,
            !head.closes, !head.has("expect"), Self.stays(head["connection"]), MediaType.isJSON(head),
            !head.has("content-encoding"),
            let user = authenticator.userAtOnce(authorization: head["authorization"], userID: head["x-user-id"])
        else { return nil }
        return (route, user)
    }

    /// Whether a connection goes on as it does without this field (RFC 9112 section 9.3).
    private static func stays(_ connection: String?) -> Bool {
        guard let connection else { return true }
        return connection.lowercased() == "keep-alive"
    }
}
