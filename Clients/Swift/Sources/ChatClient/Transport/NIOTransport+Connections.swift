import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

extension NIOTransport {
    private typealias ResponseParts = NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator

    /// Maximum time to wait for the server's answer to a close frame.
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
                    return try await Self.readFrames(inbound, receive)
                }
            }
        }
    }

    private static func readFrames(
        _ inbound: NIOAsyncChannelInboundStream<WebSocketHandler.Event>,
        _ receive: @escaping @Sendable ([ConnectionInput]) async -> Void
    ) async throws -> ConnectionEnd {
        for try await event in inbound {
            switch event {
            case .inputs(let inputs): await receive(inputs)
            case .end(let end): return end
            }
        }
        return .closed(code: 1006, reason: "")
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
            try await outbound.write(.head(eventStreamHead(for: request)))
            try await outbound.write(.end(nil))
            var iterator = inbound.makeAsyncIterator()
            let response = try await Self.head(&iterator)
            guard response.status == 200, response.headers["content-type"]?.hasPrefix("text/event-stream") == true
            else { return .refused(await Self.refusal(response, &iterator)) }
            progress.isOpen = true
            await receive([.opened])
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await Self.closeWhenAsked(output, channel.channel) }
                defer { group.cancelAll() }
                return try await Self.readEvents(&iterator, receive)
            }
        }
    }

    private func eventStreamHead(for request: ConnectionRequest) -> HTTPRequestHead {
        var head = requestHead("GET", request.server, request.path, request.headers)
        head.headers.replaceOrAdd(name: "accept", value: "text/event-stream")
        head.headers.replaceOrAdd(name: "connection", value: "close")
        return head
    }

    /// Closes the connection at the first `close`. A stream cannot send anything else.
    private static func closeWhenAsked(_ output: AsyncStream<ConnectionOutput>, _ channel: any Channel) async {
        for await next in output {
            guard case .close = next else { continue }
            channel.close(promise: nil)
            return
        }
    }

    private static func readEvents(
        _ iterator: inout ResponseParts, _ receive: @escaping @Sendable ([ConnectionInput]) async -> Void
    ) async throws -> ConnectionEnd {
        var parser = EventStreamParser()
        var isFirstRetry = true
        while case .body(let bytes)? = try await iterator.next() {
            var inputs: [ConnectionInput] = []
            for event in try parser.parse(bytes.readableBytesView) {
                if case .message(let data, _, "close") = event {
                    await receive(inputs)
                    return end(data)
                }
                // The first `retry` is meant for browsers, which reconnect by themselves; a later one comes before the
                // server ends the stream.
                if case .retry = event, isFirstRetry {
                    isFirstRetry = false
                    continue
                }
                inputs.append(input(of: event))
            }
            if !inputs.isEmpty { await receive(inputs) }
        }
        return .closed(code: 1006, reason: "")
    }

    private static func input(of event: EventStreamParser.Event) -> ConnectionInput {
        switch event {
        case .comment: .activity
        case .retry(let milliseconds): .retry(milliseconds: milliseconds)
        case .message(let data, let id, _): .frame(data, id: id)
        }
    }

    /// A refusal with its body, as far as it is read.
    private static func refusal(_ head: ClientResponse, _ iterator: inout ResponseParts) async -> ClientResponse {
        var response = head
        while response.body.count < maximumRefusal, case .body(let bytes)? = try? await iterator.next() {
            response.body += bytes.readableBytesView
        }
        return response
    }

    /// Reads the end of the stream from the data of `event: close`.
    private static func end(_ data: String) -> ConnectionEnd {
        let value = try? JSONValue(parsing: data)
        let code = value?["code"]?.integer.flatMap { UInt16(exactly: $0) } ?? 1006
        return .closed(code: code, reason: value?["reason"]?.string ?? "")
    }
}
