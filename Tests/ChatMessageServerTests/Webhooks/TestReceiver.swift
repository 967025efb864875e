import Hummingbird
import NIOCore

/// Somebody's program that gets `POST` requests.
enum TestReceiver {
    /// Runs a receiver on a port of its own for the time of `body`.
    static func run(
        _ answer: @escaping @Sendable (Request) async throws -> Response,
        _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let router = Router()
        for path: RouterPath in ["/", "**"] {
            router.post(path) { request, _ in try await answer(request) }
        }
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { port.yield($0.localAddress?.port ?? 0) }, logger: ChangeFixture.quiet)
        try await withThrowingTaskGroup { group in
            group.addTask { try await application.runService(gracefulShutdownSignals: []) }
            guard let port = await ports.first(where: { _ in true }) else { return }
            try await body(port)
            group.cancelAll()
        }
    }
}
