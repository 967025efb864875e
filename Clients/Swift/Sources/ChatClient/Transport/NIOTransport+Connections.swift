import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

extension NIOTransport {
    /// How long the server's answer to a close frame is waited for.
    private static let closeTimeout: Duration = .seconds(1)
    /// The largest body of a refusal that is read, in bytes.
    private static let maximumRefusal = 8192

    func runWebSocket(
        _ request: ConnectionRequest, _ output: AsyncStream<ConnectionOutput>, _ progress: ConnectionProgress,
        _ receive: @escaping @Sendable ([ConnectionInput]) async -> Void
    ) async throws -> ConnectionEnd {
        switch try await openWebSocket(request) {
        case .refused(let channel):
            return try await channel.executeThenClose { inbound in
                var iterator = inbound.makeAsyncIterator()
                return .refused(await Self.refusal(try await Self.head(&iterator), &iterator))
            }
        case .accepted(let channel):
            return try await channel.executeThenClose { inbound, outbound in
                progress.isOpen = true
                await receive([.opened])
                return try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await Self.write(output, to: outbound, closing: channel.channel) }
                    defer { group.cancelAll() }
                    for try await event in inbound {
                        switch event {
                        case .inputs(let inputs): await receive(inputs)
                        case .end(let end): return end
                        }
                    }
                    return .closed(code: 1006, reason: "")
                }
            }
        }
    }

    private static func write(
        _ output: AsyncStream<ConnectionOutput>, to outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>,
        closing channel: any Channel
    ) async throws {
        for await next in output {
            switch next {
            case .frame(let text): try await outbound.write(.frame(.text, ByteBuffer(string: text)))
            case .close(let code):
                try await outbound.write(.close(code))
                try await Task.sleep(for: closeTimeout)
                channel.close(promise: nil)
                return
            }
        }
    }

    func runEventStream(
        _ request: ConnectionRequest, _ output: AsyncStream<ConnectionOutput>, _ progress: ConnectionProgress,
        _ receive: @escaping @Sendable ([ConnectionInput]) async -> Void
    ) async throws -> ConnectionEnd {
        let channel = try await openHTTP(request.server)
        return try await channel.executeThenClose { inbound, outbound in
            var head = requestHead("GET", request.server, request.path, request.headers)
            head.headers.replaceOrAdd(name: "accept", value: "text/event-stream")
            head.headers.replaceOrAdd(name: "connection", value: "close")
            try await outbound.write(.head(head))
            try await outbound.write(.end(nil))
            var iterator = inbound.makeAsyncIterator()
            let answer = try await Self.head(&iterator)
            guard answer.status == 200, answer.headers["content-type"]?.hasPrefix("text/event-stream") == true else {
                return .refused(await Self.refusal(answer, &iterator))
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

    /// A refusal with what comes of its body.
    private static func refusal(
        _ head: HTTPAnswer, _ iterator: inout NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator
    ) async -> HTTPAnswer {
        var answer = head
        while answer.body.count < maximumRefusal, case .body(let bytes)? = try? await iterator.next() {
            answer.body += bytes.readableBytesView
        }
        return answer
    }

    /// The end that `event: close` tells.
    private static func end(_ data: String) -> ConnectionEnd {
        let value = try? JSONValue(parsing: data)
        let code = value?["code"]?.integer.flatMap { UInt16(exactly: $0) } ?? 1006
        return .closed(code: code, reason: value?["reason"]?.string ?? "")
    }
}
