import ChatLocalStack
import NIOCore
import NIOPosix

/// A few users who post to one room at a steady rate, each with a socket that gets all of it.
struct OrdinaryClients: Sendable {
    struct Outcome: Sendable {
        /// From when a post was due to its answer.
        var posts = LatencyHistogram()
        /// From when a post was due to its arrival at each socket.
        var deliveries = LatencyHistogram()
        /// Posts without a 201.
        var errors = 0
        /// Deliveries of accepted posts that did not come.
        var missing = 0
    }

    /// Posts a second of each user.
    static let rate = 25

    private let posting: [SteadyRequests]
    private let sockets: DeliverySockets

    /// Opens the sockets.
    static func connect(to stack: LocalStack, room: String, tokens: [String]) async throws -> OrdinaryClients {
        let sockets = DeliverySockets(port: stack.webSocketServers[0].port, room: room)
        for token in tokens { try await sockets.connect(token: token) }
        return OrdinaryClients(
            posting: tokens.map { token in
                let call = PostCall(caller: .token(token))
                return SteadyRequests(port: stack.messageServers[0].port, rate: rate) { due in
                    call.bytes(
                        room: room, clientMessageID: nil,
                        extra: #","\#(FrameFields.sentName)":\#(due.uptimeNanoseconds)"#)
                }
            }, sockets: sockets)
    }

    /// Posts at the steady rate.
    func run(seconds: Int) async throws -> Outcome {
        _ = try await sockets.take()
        var outcome = Outcome()
        try await withThrowingTaskGroup(of: SteadyRequests.Outcome.self) { group in
            for user in posting { group.addTask { try await user.run(seconds: seconds) } }
            for try await posted in group {
                outcome.posts.merge(posted.latency)
                outcome.errors += posted.errors
            }
        }
        // For the last deliveries.
        try await Task.sleep(for: .seconds(1))
        outcome.deliveries = try await sockets.take()
        outcome.missing = max(0, Int(outcome.posts.count) * posting.count - Int(outcome.deliveries.count))
        return outcome
    }

    func disconnect() async throws { try await sockets.disconnect() }
}

/// Sockets of one room that note how long each event took.
private final class DeliverySockets: Sendable {
    private struct State {
        var latency = LatencyHistogram()
        var channels: [any Channel] = []
    }

    private let port: Int
    private let room: String
    private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    private let state: NIOLoopBoundBox<State>

    init(port: Int, room: String) {
        self.port = port
        self.room = room
        state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    func connect(token: String) async throws {
        let state = state
        let channel = try await ChatWebSocketClient.connect(
            port: port, path: "/ws/chat?roomId=\(room)&access_token=\(token)", on: eventLoop
        ) {
            { event in
                guard case .text(let text) = event, let sent = FrameFields(text).sentNanos else { return }
                let now = NIODeadline.now().uptimeNanoseconds
                state.value.latency.record(nanoseconds: now > sent ? now - sent : 0)
            }
        }.get()
        try await eventLoop.submit { state.value.channels.append(channel) }.get()
    }

    /// What was noted since the last call.
    func take() async throws -> LatencyHistogram {
        try await eventLoop.submit { [state] in
            defer { state.value.latency = LatencyHistogram() }
            return state.value.latency
        }.get()
    }

    func disconnect() async throws {
        try await eventLoop.submit { [state] in
            for channel in state.value.channels { channel.close(promise: nil) }
            state.value.channels = []
        }.get()
    }
}
