import NIOCore

/// One client of the post bench: the next post goes out when the last is answered. Lives on its event loop.
final class PostLoad {
    struct Outcome: Sendable {
        /// The `clientMessageId`s answered with 201, of the warm-up too.
        var accepted: [String] = []
        /// Of those accepted in the measured time.
        var latency = LatencyHistogram()
        var errors: [String: Int] = [:]

        mutating func merge(_ other: Outcome) {
            accepted += other.accepted
            latency.merge(other.latency)
            errors.merge(other.errors, uniquingKeysWith: +)
        }
    }

    private let client: ChatHTTPClient
    private let request: PostRequest
    private let room: String
    private let prefix: String
    private let measured: Range<NIODeadline>
    private let limit: Int
    private let done: EventLoopPromise<Outcome>
    private var outcome = Outcome()
    private var number = 0

    private init(
        client: ChatHTTPClient, caller: PostRequest.Caller, room: String, prefix: String,
        measured: Range<NIODeadline>, limit: Int, done: EventLoopPromise<Outcome>
    ) {
        self.client = client
        request = PostRequest(caller: caller)
        self.room = room
        self.prefix = prefix
        self.measured = measured
        self.limit = limit
        self.done = done
    }

    /// So many posts, one after the other, within a minute.
    static func run(
        port: Int, on eventLoop: any EventLoop, caller: PostRequest.Caller, room: String, prefix: String, count: Int
    ) async throws -> Outcome {
        let now = NIODeadline.now()
        return try await run(
            port: port, on: eventLoop, caller: caller, room: room, prefix: prefix, measured: now..<now + .minutes(1),
            limit: count)
    }

    /// Posts until the end of `measured`.
    static func run(
        port: Int, on eventLoop: any EventLoop, caller: PostRequest.Caller, room: String, prefix: String,
        measured: Range<NIODeadline>, limit: Int = .max
    ) async throws -> Outcome {
        let done = eventLoop.makePromise(of: Outcome.self)
        let connected = ChatHTTPClient.connect(port: port, on: eventLoop) { client in
            PostLoad(
                client: client, caller: caller, room: room, prefix: prefix, measured: measured, limit: limit, done: done
            ).next()
        }
        connected.whenSuccess { channel in
            // An answer that never comes must not hold up the bench: closing ends the post as an error.
            channel.eventLoop.scheduleTask(deadline: measured.upperBound + .seconds(15)) { channel.close(promise: nil) }
        }
        connected.whenFailure { done.fail($0) }
        return try await done.futureResult.get()
    }

    private func next() {
        let start = NIODeadline.now()
        guard start < measured.upperBound, number < limit else { return finish() }
        number += 1
        let id = prefix + String(number)
        client.send(request.bytes(room: room, clientMessageID: id)) { response in
            let end = NIODeadline.now()
            guard let response else {
                self.outcome.errors["connection closed", default: 0] += 1
                return self.finish()
            }
            if response.status == 201 {
                self.outcome.accepted.append(id)
                if self.measured.contains(end) {
                    self.outcome.latency.record(nanoseconds: end.uptimeNanoseconds - start.uptimeNanoseconds)
                }
            } else {
                self.outcome.errors["HTTP \(response.status)", default: 0] += 1
            }
            self.next()
        }
    }

    private func finish() {
        client.close()
        done.succeed(outcome)
    }
}
