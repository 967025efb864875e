import Logging
import NIOCore

/// The connections that speak HTTP. Each is served by a task, which begins when the connection turns out to be one.
public struct HTTPConnections: Sendable {
    private let http: ChatHTTPChannel
    private let logger: Logger
    private let begun: AsyncStream<ChatHTTPChannel.Value>
    private let beginning: AsyncStream<ChatHTTPChannel.Value>.Continuation

    init(http: ChatHTTPChannel, logger: Logger) {
        self.http = http
        self.logger = logger
        // Holds no more than there are connections.
        (begun, beginning) = AsyncStream.makeStream()
    }

    /// Lets a connection speak HTTP from here on. To be called on its event loop.
    public func begin(_ channel: any Channel) throws { try begin(channel, access: .all) }

    func begin(_ channel: any Channel, access: ConnectionAccess) throws {
        let connection = try http.setup(channel, access: access)
        if case .enqueued = beginning.yield(connection) { return }
        // Too late. NIO insists that whoever has made such a channel also ends it.
        channel.close(promise: nil)
        Task { await serve(connection) }
    }

    /// Serves all that begin, until ``end()`` and until the last of them is over.
    func serve() async {
        await withDiscardingTaskGroup { group in
            for await connection in begun {
                group.addTask { await serve(connection) }
            }
        }
    }

    /// No further connection will begin.
    func end() { beginning.finish() }

    private func serve(_ connection: ChatHTTPChannel.Value) async {
        await http.handle(value: connection, logger: logger)
    }
}
