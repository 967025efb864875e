import NIOCore

/// One user socket for load that keeps what a careful client keeps, counts what it gets, and reports what breaks the
/// contract. Confined to its event loop.
final class UserSocketClient {
    struct Counts: Sendable {
        /// Bytes of all frames since the connect, with their headers.
        var bytes = 0
        var events = 0
        /// Bytes of those among them that are events of logs.
        var eventBytes = 0
        /// Violations of the contract, with their number.
        var errors: [String: Int] = [:]
    }

    private let userID: Int
    private let eventLoop: any EventLoop
    private(set) var state = UserSocketState()
    private(set) var counts = Counts()
    private var channel: (any Channel)?
    private var synced: EventLoopPromise<Void>?
    private var isLeaving = false

    init(userID: Int, eventLoop: any EventLoop) {
        self.userID = userID
        self.eventLoop = eventLoop
    }

    /// Connects and succeeds when the socket is live in all rooms of its user.
    func connect(port: Int) -> EventLoopFuture<Void> {
        counts = Counts()
        isLeaving = false
        state.reconnect()
        let synced = eventLoop.makePromise(of: Void.self)
        self.synced = synced
        let me = NIOLoopBound(self, eventLoop: eventLoop)
        ChatWebSocketClient.connect(port: port, path: "/ws/user?userId=\(userID)", on: eventLoop) {
            { me.value.handle($0) }
        }.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.channel = channel
            case .failure(let error): synced.fail(error)
            }
        }
        return synced.futureResult
    }

    func disconnect() -> EventLoopFuture<Void> {
        isLeaving = true
        let channel = channel
        self.channel = nil
        return channel?.close().flatMapErrorThrowing { _ in } ?? eventLoop.makeSucceededVoidFuture()
    }

    /// Goes back to what an earlier client kept, so that the same return can be measured again.
    func restore(_ earlier: UserSocketState) {
        state = earlier
    }

    private func handle(_ event: ChatWebSocketClient.Event) {
        switch event {
        case .text(let text): take(text)
        case .closed(let code):
            guard !isLeaving else { return }
            let reason = "a user socket closed with \(code.map(String.init) ?? "no code")"
            note(reason)
            synced?.fail(ChatWebSocketClient.Refused(description: reason))
        }
    }

    private func take(_ text: ByteBuffer) {
        let bytes = text.readableBytes + ReceivedFrameReader.headerBytes(of: text.readableBytes)
        counts.bytes += bytes
        let event = EventFrame(text)
        if let kind = event.kind, UserFrame.kinds.contains(kind) {
            guard let frame = UserFrame(text) else { return note("a frame of type \(kind) that cannot be read") }
            for step in state.take(frame) { follow(step) }
        } else if let seq = event.seq, let room = event.roomID {
            if let place = state.places[room], seq != place.seq + 1 { note("an event out of order") }
            counts.events += 1
            counts.eventBytes += bytes
            for step in state.event(of: room, at: .init(seq, event.mark), removesUser: false) { follow(step) }
        } else if event.kind == "error" {
            note("an error: \(event.code ?? "no code")")
        }
    }

    private func follow(_ step: UserSocketState.Step) {
        switch step {
        case .send(let texts):
            for text in texts { channel?.sendText(text) }
        case .synced: synced?.succeed()
        case .violation(let what): note(what)
        case .began, .event, .reset, .skipped, .ended: break
        }
    }

    private func note(_ error: String) {
        counts.errors[error, default: 0] += 1
    }
}
