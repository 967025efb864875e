import CommonAuth
import CommonUtil
import HTTPTypes
import Hummingbird

/// A server's paths and what answers them.
///
///     var routes = Routes(authenticator: authenticator)
///     routes.get("/api/v1/rooms/{id}", authenticated: true) { request, context in
///         Response(json: try await rooms.room(context.roomID("id"), for: context.requireUser()))
///     }
///
/// A `GET` also answers `HEAD`. Other methods of a known path get 405 with `Allow`, unknown paths 404.
public struct Routes: Sendable {
    public typealias Handler = @Sendable (Request, ChatRequestContext) async throws -> Response

    struct Route: Sendable {
        let method: HTTPRequest.Method
        let path: String
        let isAuthenticated: Bool
        /// Whether it answers 503 before the server is ready for work.
        let waitsForStart: Bool
        /// Whether it counts as a reading call.
        let isRead: Bool
        /// Whether the router's leniency with slashes is not wanted: what a proxy keeps from the world by its path must not
        /// be reached by another spelling of it.
        let isExact: Bool
        let handler: Handler
    }

    private(set) var routes: [Route] = []
    private(set) var directRoutes: [DirectRoutes.Route] = []
    private(set) var fallback: Handler?
    let authenticator: Authenticator?
    /// The limit on `GET` and `HEAD`, health and metrics apart.
    let readLimit: ReadLimit?

    /// An authenticator is needed as soon as a route is `authenticated`.
    public init(authenticator: Authenticator? = nil, readLimit: ReadLimit? = nil) {
        self.authenticator = authenticator
        self.readLimit = readLimit
    }

    public mutating func get(_ path: String, authenticated: Bool = false, _ handler: @escaping Handler) {
        on(.get, path, authenticated: authenticated, handler)
    }

    public mutating func post(_ path: String, authenticated: Bool = false, _ handler: @escaping Handler) {
        on(.post, path, authenticated: authenticated, handler)
    }

    public mutating func put(_ path: String, authenticated: Bool = false, _ handler: @escaping Handler) {
        on(.put, path, authenticated: authenticated, handler)
    }

    public mutating func patch(_ path: String, authenticated: Bool = false, _ handler: @escaping Handler) {
        on(.patch, path, authenticated: authenticated, handler)
    }

    public mutating func delete(_ path: String, authenticated: Bool = false, _ handler: @escaping Handler) {
        on(.delete, path, authenticated: authenticated, handler)
    }

    /// A `POST` by a known caller that the plain case of is answered without a task; see ``DirectHandler``. The path
    /// has no parameters.
    public mutating func postDirectly(
        _ path: String, admission: @escaping DirectAdmission, _ handler: @escaping DirectHandler
    ) {
        let route = DirectRoutes.Route(path: path, admission: admission, handler: handler)
        directRoutes.append(route)
        post(path, authenticated: true) { request, context in
            let user = try context.requireUser()
            let refusal = await withCheckedContinuation { continuation in
                admission(user) { continuation.resume(returning: $0) }
            }
            if let refusal { throw refusal }
            let call = DirectCall(user: user, body: try await request.jsonBody(context))
            let answer = try await withCheckedThrowingContinuation { continuation in
                route.answer(call) { continuation.resume(with: $0) }
            }
            return Response(jsonBytes: answer.body, status: answer.status)
        }
    }

    /// Answers `GET` and `HEAD` of paths that no route has: files, for example. It throws `not_found` for what it does
    /// not have either.
    public mutating func fallback(_ handler: @escaping Handler) { fallback = handler }

    /// Adds a route; `waitsForStart` is `false` for what must answer while the server is still starting.
    mutating func on(
        _ method: HTTPRequest.Method, _ path: String, authenticated: Bool = false, waitsForStart: Bool = true,
        isExact: Bool = false, isRead: Bool? = nil, _ handler: @escaping Handler
    ) {
        precondition(!authenticated || authenticator != nil, "authenticated routes need an authenticator")
        routes.append(
            Route(
                method: method, path: path, isAuthenticated: authenticated, waitsForStart: waitsForStart,
                isRead: isRead ?? (method == .get), isExact: isExact, handler: handler))
    }

    /// Every method with its path template: `GET /api/v1/rooms/{id}`. What a description has to name.
    public var calls: Set<String> { Set(routes.map { "\($0.method.rawValue) \($0.path)" }) }

    var paths: Set<String> { Set(routes.map(\.path)) }

    /// What answers requests, in the router's form. `isServing` tells whether the server is ready for work.
    func build(
        outermost: some RouterMiddleware<ChatRequestContext>, isServing: @escaping @Sendable () -> Bool
    ) -> RouterResponder<ChatRequestContext> {
        let router = Router(context: ChatRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: outermost)
        router.add(middleware: UnknownPath(table: RouteTable(routes), fallback: fallback, readLimit: readLimit))
        let authenticated = router.group()
        if let authenticator { authenticated.add(middleware: Authentication(authenticator)) }
        for route in routes {
            let readLimit = route.isRead ? readLimit : nil
            let group: any RouterMethods<ChatRequestContext> = route.isAuthenticated ? authenticated : router
            let responder = CallbackResponder<ChatRequestContext> { request, context in
                guard !route.isExact || request.uri.path == route.path else { throw ChatError(.notFound) }
                guard !route.waitsForStart || isServing() else {
                    throw ChatError.unavailable("The service is starting")
                }
                try await readLimit?.check(request, context)
                var context = context
                try PathParameters.decode(&context.coreContext.parameters)
                return try await route.handler(request, context)
            }
            group.on(RouterPath(route.path), method: route.method, responder: responder)
        }
        return router.buildResponder()
    }
}
