import NIOCore
import NIOPosix

/// One request again and again at a fixed rate, over a few keep-alive connections. Latency counts from the moment at
/// which a request was due, so that a server that stalls is not asked less.
struct SteadyRequests: Sendable {
    struct Outcome: Sendable {
        var latency = LatencyHistogram()
        var errors = 0
    }

    private static let connections = 16

    private let port: Int
    /// Requests a second.
    private let rate: Int
    /// Makes the request that is due at a time.
    private let request: @Sendable (NIODeadline) -> ByteBuffer

    init(port: Int, request: ByteBuffer, rate: Int) {
        self.init(port: port, rate: rate) { _ in request }
    }

    init(port: Int, rate: Int, request: @escaping @Sendable (NIODeadline) -> ByteBuffer) {
        self.port = port
        self.rate = rate
        self.request = request
    }

    func run(seconds: Int) async throws -> Outcome {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let start = NIODeadline.now() + .milliseconds(100)
        let interval = 1_000_000_000 / Int64(rate)
        return try await withThrowingTaskGroup(of: Outcome.self) { group in
            for index in 0..<Self.connections {
                group.addTask {
                    try await SteadyConnection.run(
                        port: port, on: eventLoop, request: request,
                        first: start + .nanoseconds(interval * Int64(index)),
                        step: .nanoseconds(interval * Int64(Self.connections)), end: start + .seconds(Int64(seconds)))
                }
            }
            return try await group.reduce(into: Outcome()) { sum, outcome in
                sum.latency.merge(outcome.latency)
                sum.errors += outcome.errors
            }
        }
    }
}

/// One connection of ``SteadyRequests``. Confined to its event loop.
private final class SteadyConnection {
    private let client: ChatHTTPClient
    private let eventLoop: any EventLoop
    private let request: (NIODeadline) -> ByteBuffer
    private var due: NIODeadline
    private let step: TimeAmount
    private let end: NIODeadline
    private let done: EventLoopPromise<SteadyRequests.Outcome>
    private var outcome = SteadyRequests.Outcome()

    private init(
        client: ChatHTTPClient, on eventLoop: any EventLoop, request: @escaping (NIODeadline) -> ByteBuffer,
        first: NIODeadline, step: TimeAmount, end: NIODeadline, done: EventLoopPromise<SteadyRequests.Outcome>
    ) {
        self.client = client
        self.eventLoop = eventLoop
        self.request = request
        due = first
        self.step = step
        self.end = end
        self.done = done
    }

    static func run(
        port: Int, on eventLoop: any EventLoop, request: @escaping @Sendable (NIODeadline) -> ByteBuffer,
        first: NIODeadline, step: TimeAmount, end: NIODeadline
    ) async throws -> SteadyRequests.Outcome {
        let done = eventLoop.makePromise(of: SteadyRequests.Outcome.self)
        let connected = ChatHTTPClient.connect(port: port, on: eventLoop) { client in
            SteadyConnection(
                client: client, on: eventLoop, request: request, first: first, step: step, end: end, done: done
            ).next()
        }
        // An answer that never comes must not hold up the bench: closing ends the request as an error.
        connected.whenSuccess { channel in
            channel.eventLoop.scheduleTask(deadline: end + .seconds(15)) { channel.close(promise: nil) }
        }
        connected.whenFailure { done.fail($0) }
        return try await done.futureResult.get()
    }

    private func next() {
        guard due < end else {
            client.close()
            return done.succeed(outcome)
        }
        eventLoop.assumeIsolated().scheduleTask(deadline: due) { self.send() }
    }

    private func send() {
        client.send(request(due)) { response in
            guard let response else {
                self.outcome.errors += 1
                return self.done.succeed(self.outcome)
            }
            if (200..<300).contains(response.status) {
                self.outcome.latency.record(nanoseconds: UInt64((NIODeadline.now() - self.due).nanoseconds))
            } else {
                self.outcome.errors += 1
            }
            self.due = self.due + self.step
            self.next()
        }
    }
}
