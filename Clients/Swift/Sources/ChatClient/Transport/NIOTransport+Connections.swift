import NIOCore
import NIOHTTP1
import NIOPosix

extension NIOTransport {
    /// How long the server's answer to a close frame is waited for.
    private static let closeTimeout: Duration = .seconds(1)

    func runWebSocket(
        _ request: ConnectionRequest, _ channel: RawChannel, _ output: AsyncStream<ConnectionOutput>,
        _ progress: ConnectionProgress, _ receive: @escaping @Sendable ([ConnectionInput]) async -> Void
    ) async throws -> ConnectionEnd {
        try await channel.executeThenClose { inbound, outbound in
            var iterator = inbound.makeAsyncIterator()
            var handshake = WebSocketHandshake(nonce: (0..<16).map { _ in .random(in: 0...255) })
            try await outbound.write(handshake.request(request))
            var outcome: WebSocketHandshake.Outcome?
            while outcome == nil {
                guard let bytes = try await iterator.next() else {
                    guard let refusal = handshake.refusalSoFar else { throw ChatError.cut }
                    return .refused(refusal)
                }
                outcome = try handshake.take(bytes)
            }
            if case .refused(let answer)? = outcome { return .refused(answer) }
            progress.isOpen = true
            await receive([.opened])

            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Self.write(output, to: outbound, closing: channel.channel) }
                defer { group.cancelAll() }
                return try await Self.read(
                    &iterator, beginningWith: handshake.remainder, answeringTo: outbound, receive)
            }
        }
    }

    private static func read(
        _ iterator: inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator, beginningWith first: ByteBuffer,
        answeringTo outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ receive: @escaping @Sendable ([ConnectionInput]) async -> Void
    ) async throws -> ConnectionEnd {
        var decoder = WebSocketDecoder()
        var next: ByteBuffer? = first
        while let bytes = next {
            decoder.append(bytes)
            var inputs: [ConnectionInput] = []
            do {
                while let message = try decoder.next() {
                    switch message {
                    case .text(let text): inputs.append(.frame(text, id: nil))
                    case .pong, .fragment: inputs.append(.signOfLife)
                    case .ping(let payload):
                        try await outbound.write(
                            WebSocketEncoder.frame(.pong, payload.readableBytesView, mask: .random(in: 0...UInt32.max)))
                        inputs.append(.signOfLife)
                    case .close(let code, let reason):
                        await receive(inputs)
                        // The connection may be gone already, and the code counts all the same.
                        try? await outbound.write(
                            WebSocketEncoder.close(code ?? 1000, mask: .random(in: 0...UInt32.max)))
                        return .closed(code: code ?? 1005, reason: reason)
                    }
                }
            } catch let violation as WebSocketViolation {
                await receive(inputs)
                try? await outbound.write(WebSocketEncoder.close(violation.code, mask: .random(in: 0...UInt32.max)))
                return .closed(code: 1002, reason: violation.reason)
            }
            if !inputs.isEmpty { await receive(inputs) }
            next = try await iterator.next()
        }
        return .closed(code: 1006, reason: "")
    }

    private static func write(
        _ output: AsyncStream<ConnectionOutput>, to outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        closing channel: any Channel
    ) async throws {
        for await next in output {
            let mask = UInt32.random(in: 0...UInt32.max)
            switch next {
            case .frame(let text): try await outbound.write(WebSocketEncoder.frame(.text, text.utf8, mask: mask))
            case .close(let code):
                try await outbound.write(WebSocketEncoder.close(code, mask: mask))
                try await Task.sleep(for: closeTimeout)
                channel.close(promise: nil)
                return
            }
        }
    }

    func runEventStream(
        _ request: ConnectionRequest, _ channel: HTTPChannel, _ output: AsyncStream<ConnectionOutput>,
        _ progress: ConnectionProgress, _ receive: @escaping @Sendable ([ConnectionInput]) async -> Void
    ) async throws -> ConnectionEnd {
        try await channel.executeThenClose { inbound, outbound in
            var head = requestHead("GET", request.server, request.path, request.headers)
            head.headers.replaceOrAdd(name: "accept", value: "text/event-stream")
            head.headers.replaceOrAdd(name: "connection", value: "close")
            try await outbound.write(.head(head))
            try await outbound.write(.end(nil))
            var iterator = inbound.makeAsyncIterator()
            var answer = try await Self.head(&iterator)
            guard answer.status == 200, answer.headers["content-type"]?.hasPrefix("text/event-stream") == true else {
                while answer.body.count < WebSocketHandshake.maximumBody,
                    case .body(let bytes)? = try? await iterator.next()
                {
                    answer.body += bytes.readableBytesView
                }
                return .refused(answer)
            }
            progress.isOpen = true
            await receive([.opened])
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await next in output {
                        guard case .close = next else { continue }
                        channel.channel.close(promise: nil)
                        return
                    }
                }
                defer { group.cancelAll() }
                var parser = EventStreamParser()
                while case .body(let bytes)? = try await iterator.next() {
                    var inputs: [ConnectionInput] = []
                    for event in try parser.take(bytes.readableBytesView) {
                        switch event {
                        case .comment: inputs.append(.signOfLife)
                        case .retry(let milliseconds): inputs.append(.retry(milliseconds: milliseconds))
                        case .message(let data, _, "close"):
                            await receive(inputs)
                            return Self.end(data)
                        case .message(let data, let id, _): inputs.append(.frame(data, id: id))
                        }
                    }
                    if !inputs.isEmpty { await receive(inputs) }
                }
                return .closed(code: 1006, reason: "")
            }
        }
    }

    /// The end that `event: close` tells.
    private static func end(_ data: String) -> ConnectionEnd {
        let value = try? JSONValue(parsing: data)
        let code = value?["code"]?.integer.flatMap { UInt16(exactly: $0) } ?? 1006
        return .closed(code: code, reason: value?["reason"]?.string ?? "")
    }
}
