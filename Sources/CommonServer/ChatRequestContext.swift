import CommonAuth
import CommonLogging
import CommonUtil
import Hummingbird
import NIOCore

/// What belongs to one request.
public struct ChatRequestContext: RequestContext, RemoteAddressRequestContext {
    public var coreContext: CoreRequestContextStorage
    /// The request's place in a trace; its id ties answers to log lines.
    public var trace = TraceContext.none
    /// Echoed, or made, as `X-Request-Id`.
    public var requestID = ""
    /// Present on routes that were declared `authenticated`.
    public var user: AuthenticatedUser?
    /// The other end of the connection, perhaps a proxy; see `ClientAddress`.
    public let remoteAddress: SocketAddress?
    let channel: any Channel

    /// The bound on a request's body.
    public var maxUploadSize: Int { RequestBounds.maximumBodyBytes }

    public init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        remoteAddress = channel.remoteAddress
    }

    /// - Throws: `missing_token` where nobody was authenticated.
    public func requireUser() throws(ChatError) -> AuthenticatedUser {
        guard let user else { throw ChatError(.missingToken) }
        return user
    }

    // MARK: Path parameters, decoded

    /// - Throws: `validation_failed` for a parameter that this route does not have.
    public func pathParameter(_ name: String) throws(ChatError) -> String {
        guard let value = coreContext.parameters.get(name) else { throw .invalid(name, "is required") }
        return value
    }

    public func roomID(_ name: String = "id") throws(ChatError) -> RoomID {
        guard let roomID = RoomID(try pathParameter(name)) else { throw .invalid(name, "must be \(RoomID.rule)") }
        return roomID
    }

    public func userID(_ name: String = "id") throws(ChatError) -> UserID {
        guard let id = UserID(text: try pathParameter(name)) else { throw .invalid(name, UserID.requirement) }
        return id
    }

    public func messageID(_ name: String = "id") throws(ChatError) -> MessageID {
        guard let id = MessageID(text: try pathParameter(name)) else {
            throw .invalid(name, MessageID.requirement)
        }
        return id
    }
}
