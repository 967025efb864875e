import CommonAuth
import CommonUtil
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// The routes of a server.
///
///     var routes = Routes(authenticator: authenticator)
///     routes.get("/api/v1/rooms/{id}", authenticated: true) { request, context in
///         Response(json: try await rooms.room(context.roomID("id"), for: context.requireUser()))
///     }
///     routes.get("/api/v1/changes", forKeysWith: .changes) { request, context in … }
///
/// A route says by itself who may call it: everyone, users (`authenticated`), users and keys of servers with a scope
/// (`authenticated` and `scope`), or only keys with a scope (`forKeysWith`).
///
/// A `GET` route also handles `HEAD`. Other methods of a known path get 405 with `Allow`, unknown paths 404.
public struct Routes: Sendable {
    /// Handles a request, or throws the error to respond with.
    public typealias Handler = @Sendable (Request, ChatRequestContext) async throws -> Response

    struct Route: Sendable {
        let method: HTTPRequest.Method
        let path: String
        let access: RouteAccess
        /// Whether the response is 503 until the server has started.
        let waitsForStart: Bool
        /// Whether ``ReadLimit`` applies.
        let isRead: Bool
        /// Whether the response can be a page of messages, for which ``PageReadLimiter`` applies.
        let isPage: Bool
        /// Whether only the exact path matches. The router ignores repeated and trailing slashes, with which a path that a
        /// proxy blocks could be reached.
        let isExact: Bool
        let handler: Handler
    }

    private(set) var routes: [Route] = []
    /// The routes that connections serve without the router.
    private(set) var directRoutes: [DirectRoutes.Route] = []
    /// The streams, which connections serve without the router.
    private(set) var streamRoutes: [StreamRoutes.Route] = []
    /// The paths whose `POST` is an upload: its body has a pace and a deadline of its own.
    private(set) var uploadPaths: [String] = []
    private(set) var fallback: Handler?
    let authenticator: Authenticator?
    /// The limit on `GET` and `HEAD`, except health and metrics.
    public let readLimit: ReadLimit?

    /// - Parameters:
    ///   - authenticator: required if any route is `authenticated`.
    ///   - readLimit: the limit on `GET` and `HEAD`.
    public init(authenticator: Authenticator? = nil, readLimit: ReadLimit? = nil) {
        self.authenticator = authenticator
        self.readLimit = readLimit
    }

    /// Adds a `GET` route.
    /// - Parameters:
    ///   - path: the template, with parameters as `{id}`.
    ///   - authenticated: whether the caller has to be authenticated.
    ///   - scope: what a server's key needs to make the call; without it the route is for no key.
    ///   - isPage: whether the response can be a page of messages, which has many megabytes: few are made at a time. Only
    ///     for authenticated routes.
    ///   - countsItself: whether the handler finds out who reads, and asks ``readLimit`` itself.
    public mutating func get(
        _ path: String, authenticated: Bool = false, scope: KeyScope? = nil, isPage: Bool = false,
        countsItself: Bool = false, _ handler: @escaping Handler
    ) {
        on(
            .get, path, RouteAccess(authenticated: authenticated, scope: scope), isRead: !countsItself, isPage: isPage,
            handler)
    }

    /// Adds a `POST` route.
    public mutating func post(
        _ path: String, authenticated: Bool = false, scope: KeyScope? = nil, _ handler: @escaping Handler
    ) {
        on(.post, path, RouteAccess(authenticated: authenticated, scope: scope), handler)
    }

    /// Adds a `PUT` route.
    public mutating func put(
        _ path: String, authenticated: Bool = false, scope: KeyScope? = nil, _ handler: @escaping Handler
    ) {
        on(.put, path, RouteAccess(authenticated: authenticated, scope: scope), handler)
    }

    /// Adds a `PATCH` route.
    public mutating func patch(
        _ path: String, authenticated: Bool = false, scope: KeyScope? = nil, _ handler: @escaping Handler
    ) {
        on(.patch, path, RouteAccess(authenticated: authenticated, scope: scope), handler)
    }

    /// Adds a `DELETE` route.
    public mutating func delete(
        _ path: String, authenticated: Bool = false, scope: KeyScope? = nil, _ handler: @escaping Handler
    ) {
        on(.delete, path, RouteAccess(authenticated: authenticated, scope: scope), handler)
    }

    // MARK: Only for keys

    /// Adds a `GET` route for servers' keys.
    public mutating func get(_ path: String, forKeysWith scope: KeyScope, _ handler: @escaping Handler) {
        on(.get, path, .keys([scope]), handler)
    }

    /// Adds a `POST` route for servers' keys.
    public mutating func post(_ path: String, forKeysWith scope: KeyScope, _ handler: @escaping Handler) {
        on(.post, path, .keys([scope]), handler)
    }

    /// Adds a `POST` route for servers' keys that have at least one of these scopes.
    public mutating func post(_ path: String, forKeysWithAnyOf scopes: [KeyScope], _ handler: @escaping Handler) {
        on(.post, path, .keys(scopes), handler)
    }

    /// Adds a `PUT` route for servers' keys.
    public mutating func put(_ path: String, forKeysWith scope: KeyScope, _ handler: @escaping Handler) {
        on(.put, path, .keys([scope]), handler)
    }

    /// Adds a `PATCH` route for servers' keys.
    public mutating func patch(_ path: String, forKeysWith scope: KeyScope, _ handler: @escaping Handler) {
        on(.patch, path, .keys([scope]), handler)
    }

    /// Adds a `DELETE` route for servers' keys.
    public mutating func delete(_ path: String, forKeysWith scope: KeyScope, _ handler: @escaping Handler) {
        on(.delete, path, .keys([scope]), handler)
    }

    // MARK: Other kinds of routes

    /// Adds an authenticated `POST` route whose plain requests get their response without a task, see ``DirectHandler``.
    /// - Parameters:
    ///   - path: a path without parameters.
    ///   - scope: what a server's key needs to make the call.
    ///   - admission: decides whether a caller may make the request, before the body is parsed.
    public mutating func postDirectly(
        _ path: String, scope: KeyScope? = nil, admission: @escaping DirectAdmission,
        _ handler: @escaping DirectHandler
    ) {
        let route = DirectRoutes.Route(path: path, admission: admission, handler: handler)
        directRoutes.append(route)
        post(path, authenticated: true, scope: scope) { request, context in
            let user = try context.requireUser()
            let refusal = await withCheckedContinuation { continuation in
                admission(user) { continuation.resume(returning: $0) }
            }
            if let refusal { throw refusal }
            let call = DirectCall(user: user, key: context.key, body: try await request.jsonBody(context))
            let response = try await withCheckedThrowingContinuation { continuation in
                route.handle(call) { continuation.resume(with: $0) }
            }
            return Response(jsonBytes: response.body, status: response.status)
        }
    }

    /// Adds an authenticated `POST` route with a large body, which the handler reads as it arrives
    /// (``Hummingbird/Request/uploadedBytes(_:)``). 60 s without a byte of it are 408. `Expect: 100-continue` is answered
    /// when the handler begins to read; after a response before the end of the body the connection is closed.
    /// - Parameters:
    ///   - path: a path without parameters. Only this very path matches.
    ///   - scope: what a server's key needs to make the call.
    public mutating func postUpload(_ path: String, scope: KeyScope? = nil, _ handler: @escaping Handler) {
        uploadPaths.append(path)
        on(.post, path, RouteAccess(authenticated: true, scope: scope), isExact: true, handler)
    }

    /// Adds a `GET` route whose response is a stream, see ``ResponseStream``. A stream is not ended when the server stops:
    /// that is up to its owner, in a step before the listener stops.
    /// - Parameters:
    ///   - path: a path without parameters. Only this very path matches.
    ///   - contentType: the media type of the response.
    public mutating func streaming(_ path: String, contentType: String, _ handler: @escaping StreamHandler) {
        streamRoutes.append(StreamRoutes.Route(path: path, contentType: contentType, handler: handler))
        on(.get, path, .everyone, isExact: true, isRead: false) { _, _ in
            throw ChatError(.malformedRequest, "A request for a stream has no body")
        }
    }

    /// Sets the handler of `GET` and `HEAD` for paths without a route, for example of files. It throws `not_found` for
    /// paths that it does not have either.
    public mutating func fallback(_ handler: @escaping Handler) { fallback = handler }

    /// Adds a route.
    /// - Parameters:
    ///   - waitsForStart: `false` for routes that must respond while the server is starting.
    ///   - isExact: see ``Route/isExact``.
    ///   - isRead: whether ``ReadLimit`` applies; by default to `GET`.
    mutating func on(
        _ method: HTTPRequest.Method, _ path: String, _ access: RouteAccess = .everyone, waitsForStart: Bool = true,
        isExact: Bool = false, isRead: Bool? = nil, isPage: Bool = false, _ handler: @escaping Handler
    ) {
        precondition(access == .everyone || authenticator != nil, "authenticated routes need an authenticator")
        routes.append(
            Route(
                method: method, path: path, access: access, waitsForStart: waitsForStart,
                isRead: isRead ?? (method == .get), isPage: isPage, isExact: isExact, handler: handler))
    }

    /// Every method with its path template, for example `GET /api/v1/rooms/{id}`: the calls that an OpenAPI description
    /// must have.
    public var calls: Set<String> { Set(routes.map { "\($0.method.rawValue) \($0.path)" }) }

    /// The path templates.
    var paths: Set<String> { Set(routes.map(\.path)) }

    /// Builds the router.
    /// - Parameters:
    ///   - outermost: the middleware of all requests.
    ///   - isServing: whether the server has started.
    func build(
        outermost: some RouterMiddleware<ChatRequestContext>, isServing: @escaping @Sendable () -> Bool
    ) -> RouterResponder<ChatRequestContext> {
        let router = Router(context: ChatRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: outermost)
        router.add(middleware: UnknownPath(table: RouteTable(routes), fallback: fallback, readLimit: readLimit))
        var groups: [RouteAccess: any RouterMethods<ChatRequestContext>] = [.everyone: router]
        if let authenticator {
            for access in Set(routes.map(\.access)) where access != .everyone {
                groups[access] = router.group().add(middleware: Authentication(authenticator, access))
            }
        }
        let pageReads = PageReadLimiter()
        for route in routes {
            let readLimit = route.isRead ? readLimit : nil
            let responder = CallbackResponder<ChatRequestContext> { request, context in
                guard !route.isExact || request.uri.path == route.path else { throw ChatError(.notFound) }
                guard !route.waitsForStart || isServing() else {
                    throw ChatError.unavailable("The service is starting")
                }
                try await readLimit?.check(request, context)
                var decoded = context
                try PathParameters.decode(&decoded.coreContext.parameters)
                let context = decoded
                guard route.isPage, let user = context.user else { return try await route.handler(request, context) }
                return try await pageReads.run(for: user.userID) { try await route.handler(request, context) }
            }
            groups[route.access]?.on(RouterPath(route.path), method: route.method, responder: responder)
        }
        return router.buildResponder()
    }
}

/// Percent-decoding of path parameters, which Hummingbird does not do.
enum PathParameters {
    /// Decodes all parameters.
    /// - Throws: `malformed_request` for bad percent-encoding, `validation_failed` for bad UTF-8 and U+0000.
    static func decode(_ parameters: inout Parameters) throws(ChatError) {
        guard parameters.contains(where: { $0.value.utf8.contains(UInt8(ascii: "%")) }) else { return }
        var decoded = Parameters()
        for (name, value) in parameters {
            guard let bytes = PercentEncoding.bytes(value) else {
                throw ChatError(.malformedRequest, "The path is not percent-encoded")
            }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw .invalid(String(name), "must be UTF-8")
            }
            guard !text.utf8.contains(0) else { throw .invalid(String(name), "must not contain U+0000") }
            decoded.append(key: name, value: text[...])
        }
        parameters = decoded
    }
}

/// Responds to a request through the router: the part of Hummingbird's `Application` between its server and its router.
struct RouteResponder: Sendable {
    let routes: RouterResponder<ChatRequestContext>
    let date: HTTPDate
    let logger: Logger

    /// Runs the router and writes its response.
    func respond(_ request: Request, _ writer: consuming ResponseWriter, on channel: any Channel) async throws {
        let source = ApplicationRequestContextSource(channel: channel, logger: logger)
        var response = try await routes.respond(to: request, context: ChatRequestContext(source: source))
        response.headers[.date] = date.text
        try await writer.write(response: response.head, body: response.body)
    }
}
