import CommonUtil
import NIOCore

@testable import CommonServer

/// A stream that sends what a test gives it.
final class TestStream: ResponseStream {
    private let connection: StreamConnection
    private let opening: String
    private(set) var writabilityChanges = 0
    private(set) var closes = 0

    /// - Parameter opening: sent together with the head.
    init(_ connection: StreamConnection, opening: String) {
        self.connection = connection
        self.opening = opening
    }

    func begin(_ head: ByteBuffer) {
        connection.write(head)
        send(opening)
    }

    func send(_ text: String) {
        connection.write(ByteBuffer(string: text))
        connection.flush()
    }

    func end() { connection.end() }

    func abort() { connection.abort() }

    func writabilityChanged() { writabilityChanges += 1 }

    func connectionClosed() { closes += 1 }
}

/// The route `/stream` of tests, and the streams that it made. Confined to one event loop.
final class StreamRecorder {
    /// Decides at once; `nil` for decisions by ``decideNow(_:)``.
    var decision: StreamDecision?
    private(set) var streams: [TestStream] = []
    private(set) var pending: [(StreamDecision) -> Void] = []

    var begin: StreamDecision {
        .begin { [self] connection in
            let stream = TestStream(connection, opening: "opening\n")
            streams.append(stream)
            return stream
        }
    }

    func decideNow(_ decision: StreamDecision) { pending.removeFirst()(decision) }

    func routes(on eventLoop: any EventLoop, isServing: Bool = true) -> StreamRoutes {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return StreamRoutes(
            routes: [
                .init(path: "/stream", contentType: "text/event-stream") { _, decide in
                    let recorder = bound.value
                    guard let decision = recorder.decision else { return recorder.pending.append(decide) }
                    decide(decision)
                }
            ], envelope: ConnectionFixture.envelope(), date: HTTPDate(), isServing: { isServing })
    }
}
