// The direct route for posts
// ==========================
//
// A busy message server gets thousands of `POST /messages` a second, and hardly anything else. For a post through the
// router the task, Hummingbird's contexts and middleware, and the hops between threads cost more than everything else
// that the server does for it. Instructions for a post, with 16 clients at a time (`./chat bench instructions`,
// docs/performance.md):
//
//     445,000   a task and Hummingbird's contexts for each post
//     318,000   on the event loop, behind NIO's HTTP decoder
//     229,000   on the event loop, with the decoder of this target
//     137,000   with less copying
//     122,000   with a response head that is made once a second
//
// So the connection's handler responds to plain posts itself:
//
//     HTTPConnectionHandler        reads the head (RequestHeadReader) and asks DirectRoutes.accept
//       DirectRoutes.accept        a known path, a cached caller, a JSON body of known, allowed length: else `nil`
//       DirectRequest.run          the route's admission (rate limit), then its handler: no task unless they need one
//       DirectRequest.bytes        the response, its log line and its measurement
//     HTTPConnectionHandler        writes it, and takes the next request
//
// Everything else (an unknown token, `Expect`, `Connection: close`, a chunked body, an error in the head) goes through
// the router. `Routes.postDirectly` registers the same handler there, and HTTPTableTests and DirectRouteTests check that
// both ways respond alike. Header fields, log lines and measurements are shared as well (ResponseEnvelope).
//
// What has to stay as it is: no task, no existential and no closure per byte on this path; one allocation for the
// response; `bench instructions --check` fails where a post takes more than its threshold.

import CommonAuth
import CommonUtil
import HTTPTypes
import NIOCore

/// A request of a direct route: the caller is authenticated and the JSON body is complete.
public struct DirectCall: Sendable {
    /// The caller.
    public let user: AuthenticatedUser
    /// The server's key that the call is made with; `nil` for a user's own call.
    public let key: KeyCaller?
    /// The body, not parsed yet.
    public let body: [UInt8]
}

/// A JSON response to a direct request.
public struct DirectResponse: Sendable {
    /// The HTTP status.
    public let status: HTTPResponse.Status
    /// The body.
    public let body: [UInt8]

    /// Creates a response of JSON text.
    public init(jsonBytes: [UInt8], status: HTTPResponse.Status) {
        body = jsonBytes
        self.status = status
    }
}

/// Handles a direct request. Calls `respond` exactly once, at any time and on any thread, or throws instead.
public typealias DirectHandler =
    @Sendable (DirectCall, _ respond: @escaping @Sendable (Result<DirectResponse, any Error>) -> Void) throws -> Void

/// Decides whether a caller may make a request, before its body is parsed. Calls `proceed` exactly once, with the error
/// of a refusal or with `nil`.
public typealias DirectAdmission =
    @Sendable (AuthenticatedUser, _ proceed: @escaping @Sendable (ChatError?) -> Void) -> Void

/// The routes that a connection's handler serves on its event loop, without a task per request.
///
/// Only plain requests are taken: the caller is known (a cached token, or claimed in `trusted` mode), and the
/// body has a known, allowed length. Any other goes through the router, which has the same route with the same handler.
struct DirectRoutes: Sendable {
    /// A path and its handler.
    struct Route: Sendable {
        let path: String
        let admission: DirectAdmission
        let handler: DirectHandler

        /// Calls the handler, and responds with the error that it throws.
        func handle(_ call: DirectCall, _ respond: @escaping @Sendable (Result<DirectResponse, any Error>) -> Void) {
            do {
                try handler(call, respond)
            } catch {
                respond(.failure(error))
            }
        }
    }

    let routes: [Route]
    let authenticator: Authenticator
    let envelope: ResponseEnvelope
    let date: HTTPDate
    let heads: DirectResponseHeads
    /// Whether the server has started; before that the router responds with 503.
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

    /// Matches a request.
    /// - Returns: the route and the caller; `nil` if the router has to handle the request.
    func accept(_ head: RequestHead) -> (route: Route, user: AuthenticatedUser)? {
        guard head.isMethod("POST"), let route = routes.first(where: { head.isTarget($0.path) }), isServing(),
            head.has("content-length"), head.contentLength <= RequestBounds.maximumBodyBytes,
            !head.closes, !head.has("expect"), Self.isKeptAlive(head["connection"]), MediaType.isJSON(head),
            !head.has("content-encoding"), !head.has("x-on-behalf-of"),
            let user = authenticator.cachedUser(authorization: head["authorization"], userID: head["x-user-id"])
        else { return nil }
        return (route, user)
    }

    /// Whether the connection persists as it does without the field `Connection` (RFC 9112 section 9.3).
    private static func isKeptAlive(_ connection: String?) -> Bool {
        guard let connection else { return true }
        return connection.lowercased() == "keep-alive"
    }
}
