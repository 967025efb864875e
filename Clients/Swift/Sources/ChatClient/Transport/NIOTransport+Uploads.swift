import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

extension NIOTransport {
    func upload(
        _ call: HTTPCall, _ body: UploadBody, onSent: @escaping @Sendable (Int64) -> Void
    ) async throws -> ClientResponse {
        let watch = StallWatch()
        do {
            return try await withLimit({ try await watch.stalled(afterMilliseconds: call.timeoutMilliseconds) }) {
                try await send(call, body, watch, onSent)
            }
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw ChatError.network(error)
        }
    }

    /// Sends the body and reads the response, which may come before the end of the body.
    private func send(
        _ call: HTTPCall, _ body: UploadBody, _ watch: StallWatch, _ onSent: @escaping @Sendable (Int64) -> Void
    ) async throws -> ClientResponse {
        var head = requestHead(call.method.rawValue, call.server, call.path, call.headers)
        head.headers.replaceOrAdd(name: "content-length", value: String(body.size))
        head.headers.replaceOrAdd(name: "connection", value: "close")
        let channel = try await openHTTP(call.server)
        watch.move()
        return try await channel.executeThenClose { [head] inbound, outbound in
            try await withThrowingTaskGroup(of: ClientResponse?.self) { group in
                group.addTask {
                    try await Self.write(head, body, to: outbound) { sent in
                        watch.move()
                        onSent(sent)
                    }
                    return nil
                }
                group.addTask { try await Self.response(inbound, call.maximumResponseBytes, watch) }
                defer { group.cancelAll() }
                while let ended = try await group.next() {
                    if let ended { return ended }
                }
                throw ChatError.cut
            }
        }
    }

    /// - Throws: what reading the body throws. If the connection breaks it returns: the response may be there already,
    ///   and otherwise reading it fails.
    private static func write(
        _ head: HTTPRequestHead, _ body: UploadBody,
        to outbound: NIOAsyncChannelOutboundWriter<HTTPPart<HTTPRequestHead, ByteBuffer>>, onSent: (Int64) -> Void
    ) async throws {
        guard (try? await outbound.write(.head(head))) != nil else { return }
        var sent: Int64 = 0
        while let piece = try await body.piece(at: sent) {
            // Returns once there is room, so that the disk is not read faster than the network sends.
            guard (try? await outbound.write(.body(piece))) != nil else { return }
            sent += Int64(piece.readableBytes)
            onSent(sent)
        }
        try? await outbound.write(.end(nil))
    }

    private static func response(
        _ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>, _ maximumBytes: Int, _ watch: StallWatch
    ) async throws -> ClientResponse {
        var iterator = inbound.makeAsyncIterator()
        var response = try await head(&iterator)
        while let part = try await iterator.next() {
            watch.move()
            switch part {
            case .head: throw ChatError.cut
            case .body(let bytes):
                guard response.body.count + bytes.readableBytes <= maximumBytes else {
                    throw ChatError(.protocol, "The answer is too long", status: response.status)
                }
                response.body += bytes.readableBytesView
            case .end: return response
            }
        }
        throw ChatError.cut
    }
}

/// Detects an upload without progress.
private final class StallWatch: Sendable {
    private let movedAt = NIOLockedValueBox(System.monotonicClock)

    func move() { movedAt.withLockedValue { $0 = System.monotonicClock } }

    /// - Throws: ``ChatError/timeout`` once nothing has moved for this time.
    func stalled(afterMilliseconds limit: Int64) async throws -> Never {
        while true {
            let left = movedAt.withLockedValue { $0 } + limit - System.monotonicClock
            guard left > 0 else { throw ChatError.timeout }
            try await Task.sleep(for: .milliseconds(left))
        }
    }
}
