import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

extension NIOTransport {
    func upload(
        _ call: HTTPCall, _ body: UploadBody, onSent: @escaping @Sendable (Int64) -> Void
    ) async throws -> HTTPAnswer {
        let watch = StallWatch()
        do {
            return try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                group.addTask { try await send(call, body, watch, onSent) }
                group.addTask { try await watch.stalled(afterMilliseconds: call.timeoutMilliseconds) }
                defer { group.cancelAll() }
                guard let answer = try await group.next() else { throw ChatError.cut }
                return answer
            }
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw ChatError.network(error)
        }
    }

    /// Sends the body and reads the answer, which may come before the end of the body.
    private func send(
        _ call: HTTPCall, _ body: UploadBody, _ watch: StallWatch, _ onSent: @escaping @Sendable (Int64) -> Void
    ) async throws -> HTTPAnswer {
        var head = requestHead(call.method.rawValue, call.server, call.path, call.headers)
        head.headers.replaceOrAdd(name: "content-length", value: String(body.size))
        head.headers.replaceOrAdd(name: "connection", value: "close")
        let channel = try await openHTTP(call.server)
        watch.move()
        return try await channel.executeThenClose { [head] inbound, outbound in
            try await withThrowingTaskGroup(of: HTTPAnswer?.self) { group in
                group.addTask {
                    try await Self.write(head, body, to: outbound) { sent in
                        watch.move()
                        onSent(sent)
                    }
                    return nil
                }
                group.addTask { try await Self.answer(inbound, call.maximumAnswerBytes, watch) }
                defer { group.cancelAll() }
                while let ended = try await group.next() {
                    if let ended { return ended }
                }
                throw ChatError.cut
            }
        }
    }

    /// - Throws: what reading the body throws. Where the connection breaks it returns: the answer may be there already, and
    ///   otherwise reading it fails.
    private static func write(
        _ head: HTTPRequestHead, _ body: UploadBody,
        to outbound: NIOAsyncChannelOutboundWriter<HTTPPart<HTTPRequestHead, ByteBuffer>>, onSent: (Int64) -> Void
    ) async throws {
        guard (try? await outbound.write(.head(head))) != nil else { return }
        var sent: Int64 = 0
        while let piece = try await body.piece(at: sent) {
            // Returns once there is room: what the network does not take yet is not read from the disk.
            guard (try? await outbound.write(.body(piece))) != nil else { return }
            sent += Int64(piece.readableBytes)
            onSent(sent)
        }
        try? await outbound.write(.end(nil))
    }

    private static func answer(
        _ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>, _ maximumBytes: Int, _ watch: StallWatch
    ) async throws -> HTTPAnswer {
        var iterator = inbound.makeAsyncIterator()
        var answer = try await head(&iterator)
        while let part = try await iterator.next() {
            watch.move()
            switch part {
            case .head: throw ChatError.cut
            case .body(let bytes):
                guard answer.body.count + bytes.readableBytes <= maximumBytes else {
                    throw ChatError(.protocol, "The answer is too long", status: answer.status)
                }
                answer.body += bytes.readableBytesView
            case .end: return answer
            }
        }
        throw ChatError.cut
    }
}

/// Finds out that nothing moves any more.
private final class StallWatch: Sendable {
    private let movedAt = NIOLockedValueBox(System.monotonicClock)

    func move() { movedAt.withLockedValue { $0 = System.monotonicClock } }

    /// - Throws: ``ChatError/timeout`` once nothing has moved for so long.
    func stalled(afterMilliseconds limit: Int64) async throws -> Never {
        while true {
            let left = movedAt.withLockedValue { $0 } + limit - System.monotonicClock
            guard left > 0 else { throw ChatError.timeout }
            try await Task.sleep(for: .milliseconds(left))
        }
    }
}
