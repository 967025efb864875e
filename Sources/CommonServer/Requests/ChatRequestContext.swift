import CommonAuth
import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import NIOCore

/// The context of one request, from the outermost middleware to the route's handler.
public struct ChatRequestContext: RequestContext, RemoteAddressRequestContext {
    public var coreContext: CoreRequestContextStorage
    /// The request's place in a trace. Error responses and log lines show its id.
    public var trace = TraceContext.none
    /// The value of `X-Request-Id` in the response: the client's, or the span's id.
    public var requestID = ""
    /// The caller, on routes that were declared `authenticated`. For a server's key the user that it acts for, or
    /// `UserID.installation`.
    public var user: AuthenticatedUser?
    /// The server's key that the call is made with; `nil` for a user's own call.
    public var key: KeyCaller?
    /// The peer of the connection, which can be a proxy; see ``ClientAddress``.
    public let remoteAddress: SocketAddress?
    let channel: any Channel

    /// The maximum size of a request's body, in bytes.
    public var maxUploadSize: Int { RequestBounds.maximumBodyBytes }

    /// Creates the context of a request that has just arrived.
    public init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        remoteAddress = channel.remoteAddress
    }

    /// Returns the authenticated caller.
    /// - Throws: `missing_token` (401) if there is none.
    public func requireUser() throws(ChatError) -> AuthenticatedUser {
        guard let user else { throw ChatError(.missingToken) }
        return user
    }

    /// Returns the server's key, on routes for keys.
    /// - Throws: `scope` (403) if the call is made without one.
    public func requireKey() throws(ChatError) -> KeyCaller {
        guard let key else { throw ChatError(.scope) }
        return key
    }

    /// Whether the call is made with a server's key that acts for no user. Such calls have no rate.
    public var isInstallation: Bool { user?.userID.isInstallation ?? false }

    /// Whether the client has closed the connection, or ended its output. The two cannot be distinguished, so a call that
    /// waits should then respond with what it has: nothing cancels it, and a client that still reads gets its response.
    public var hasClientLeft: Bool {
        get async {
            let channel = channel
            let hasLeft = try? await channel.eventLoop.submit {
                try channel.pipeline.syncOperations.handler(type: HTTPConnectionHandler.self).isInputClosed
            }.get()
            // A channel that is closed has no handlers.
            return hasLeft ?? true
        }
    }

    // MARK: Path parameters

    /// Returns a parameter of the path, percent-decoded.
    /// - Throws: `validation_failed` (422) for a parameter that this route does not have.
    public func pathParameter(_ name: String) throws(ChatError) -> String {
        guard let value = coreContext.parameters.get(name) else { throw .invalid(name, "is required") }
        return value
    }

    /// Returns a parameter of the path as a room's id.
    /// - Throws: `validation_failed` (422) for anything else.
    public func roomID(_ name: String = "id") throws(ChatError) -> RoomID {
        guard let roomID = RoomID(try pathParameter(name)) else { throw .invalid(name, "must be \(RoomID.rule)") }
        return roomID
    }

    /// Returns a parameter of the path as a user's id.
    /// - Throws: `validation_failed` (422) for anything else.
    public func userID(_ name: String = "id") throws(ChatError) -> UserID {
        guard let id = UserID(text: try pathParameter(name)) else { throw .invalid(name, UserID.requirement) }
        return id
    }

    /// Returns a parameter of the path as a user: an id or, for callers with a server's key, `ext:` and an external id.
    /// - Throws: `validation_failed` (422) for anything else.
    public func userReference(_ name: String = "id") throws(ChatError) -> UserReference {
        guard key != nil else { return .id(try userID(name)) }
        guard let user = UserReference(try pathParameter(name)) else { throw .invalid(name, UserReference.rule) }
        return user
    }

    /// Returns a parameter of the path as a message's id.
    /// - Throws: `validation_failed` (422) for anything else.
    public func messageID(_ name: String = "id") throws(ChatError) -> MessageID {
        guard let id = MessageID(text: try pathParameter(name)) else {
            throw .invalid(name, MessageID.requirement)
        }
        return id
    }
}

/// The request id (`X-Request-Id`), which names one request in the logs of several programs.
enum RequestID {
    /// - Parameter id: what the client sent, where it sent one.
    /// - Returns: the client's id where it is 1–128 visible ASCII characters, since it goes into headers and logs; else the
    ///   span's.
    static func accepted(_ id: String?, in trace: TraceContext) -> String {
        guard let id, (1...128).contains(id.utf8.count), id.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return trace.spanID
        }
        return id
    }
}

extension HTTPField.Name {
    /// `X-Request-Id`, see ``ChatRequestContext/requestID``.
    public static let requestID = HTTPField.Name(constant: "X-Request-Id")
}
