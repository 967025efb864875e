import CommonAuth
import Hummingbird
import Logging

/// Lets through whom the authenticator knows, as the context's `user`.
public struct Authentication: RouterMiddleware {
    private let authenticator: Authenticator

    public init(_ authenticator: Authenticator) { self.authenticator = authenticator }

    public func handle(
        _ request: Request, context: ChatRequestContext,
        next: (Request, ChatRequestContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.user = try await authenticator.authenticate(headers: request.headers)
        if let user = context.user { context.logger[metadataKey: "userId"] = .stringConvertible(user.userID) }
        return try await next(request, context)
    }
}
