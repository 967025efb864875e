import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore

@testable import ChatClient

/// Servers that do what a test says.
final class FakeServer: ChatTransport {
    /// One connection that the client has opened.
    final class Link: Sendable {
        let request: ConnectionRequest
        let receive: @Sendable ([ConnectionInput]) async -> Void
        private let frames = NIOLockedValueBox<[JSONValue]>([])
        private let count = LatestValue(0)
        private let end = AsyncStream.makeStream(of: ConnectionEnd.self)
        /// Whether the client has given it up, such as for a handshake that took too long.
        fileprivate let isOver = LatestValue(false)

        fileprivate init(_ request: ConnectionRequest, _ receive: @escaping @Sendable ([ConnectionInput]) async -> Void)
        {
            self.request = request
            self.receive = receive
        }

        fileprivate func took(_ output: ConnectionOutput) {
            if case .frame(let text) = output, let frame = try? JSONValue(parsing: text) {
                frames.withLockedValue { $0.append(frame) }
            } else {
                frames.withLockedValue { $0.append(["type": "(close)"]) }
            }
            count.set(0)
        }

        fileprivate func over() {
            isOver.set(true)
            count.finish()
        }

        fileprivate func untilEnd() async -> ConnectionEnd {
            for await end in end.stream { return end }
            return .failed(.closed)
        }

        /// The server sends frames, in one read.
        func send(_ frames: JSONValue...) async { await receive(frames.map { .frame($0.text, id: nil) }) }
        func send(text: String) async { await receive([.frame(text, id: nil)]) }
        func close(_ code: UInt16 = 1006) { end.continuation.yield(.closed(code: code, reason: "")) }
        func refuse(_ answer: ClientResponse) { end.continuation.yield(.refused(answer)) }

        /// The types of the client's frames so far.
        var types: [String] { frames.withLockedValue { $0.compactMap { $0["type"]?.string } } }

        /// Waits for a frame of the client; `null` if no more comes.
        func frame(_ type: String) async -> JSONValue {
            var iterator = LatestValues(source: count).makeAsyncIterator()
            while await iterator.next() != nil {
                if let frame = frames.withLockedValue({ $0.first { $0["type"]?.string == type } }) { return frame }
            }
            return .null
        }

        /// All the way to `live`; rooms are those of the user.
        @discardableResult
        func live(rooms: [JSONValue] = [], cursor: String = "c1", events: [JSONValue] = []) async -> JSONValue {
            await receive([.opened])
            await send(["eventType": "ready", "sessionId": "s", "userId": 1, "heartbeatSeconds": 25])
            let sync = await frame("sync")
            await send(["eventType": "rooms", "rooms": .array(rooms), "removed": [], "isAll": true, "isLast": true])
            for event in events { await send(event) }
            await send(["eventType": "synced", "cursor": .string(cursor)])
            return sync
        }
    }

    private let links = AsyncStream.makeStream(of: Link.self)
    private let answers = NIOLockedValueBox<@Sendable (HTTPCall) async throws -> ClientResponse>({ _ in
        ClientResponse(status: 404)
    })
    private let keeping = NIOLockedValueBox(false)
    private let made = NIOLockedValueBox<[HTTPCall]>([])

    /// The next connection of the client that is open still.
    /// - Throws: `CancellationError` if the test's time is over.
    func link() async throws -> Link {
        for await link in links.stream where !link.isOver.value { return link }
        throw CancellationError()
    }

    /// Calls that were made, in their order.
    var calls: [HTTPCall] { made.withLockedValue { $0 } }

    func answer(_ answer: @escaping @Sendable (HTTPCall) async throws -> ClientResponse) {
        answers.withLockedValue { $0 = answer }
    }

    /// Never answers. A call ends when its task is cancelled; the sleep is longer than the time limit of a test.
    func answerNothing() {
        answer { _ in
            try await Task.sleep(for: .seconds(60))
            throw ChatError.timeout
        }
    }

    func call(_ call: HTTPCall) async throws -> ClientResponse {
        made.withLockedValue { $0.append(call) }
        return try await answers.withLockedValue { $0 }(call)
    }

    /// The answer sees what was sent as the body of the call.
    func upload(
        _ call: HTTPCall, _ body: UploadBody, onSent: @escaping @Sendable (Int64) -> Void
    ) async throws -> ClientResponse {
        var bytes: [UInt8] = []
        while let piece = try await body.piece(at: Int64(bytes.count)) {
            bytes += piece.readableBytesView
            onSent(Int64(bytes.count))
        }
        var call = call
        call.body = bytes
        return try await self.call(call)
    }

    /// Whether connections may be kept for further calls.
    var keepsConnections: Bool { keeping.withLockedValue { $0 } }
    func keepConnections() { keeping.withLockedValue { $0 = true } }
    func closeConnections() { keeping.withLockedValue { $0 = false } }

    func connect(
        _ request: ConnectionRequest, output: AsyncStream<ConnectionOutput>,
        receive: @escaping @Sendable ([ConnectionInput]) async -> Void
    ) async -> ConnectionEnd {
        let link = Link(request, receive)
        links.continuation.yield(link)
        defer { link.over() }
        return await withTaskGroup(of: ConnectionEnd?.self) { group in
            group.addTask {
                for await next in output { link.took(next) }
                return nil
            }
            group.addTask { await link.untilEnd() }
            defer { group.cancelAll() }
            while let end = await group.next() {
                if let end { return end }
            }
            return .failed(.closed)
        }
    }
}

extension NIOLockedValueBox<Int> {
    /// Counts one more.
    /// - Returns: the new value.
    func increment() -> Int {
        withLockedValue { value in
            value += 1
            return value
        }
    }
}

/// A token of a user that lives long.
func token(of userID: Int64, seconds: Int64 = 3600, id: Int = 0) -> String {
    let now = System.wallClock / 1000
    let claims: JSONValue = [
        "sub": .string(String(userID)), "iat": JSONValue(now), "exp": JSONValue(now + seconds), "jti": JSONValue(id),
    ]
    let base64 = Data(claims.bytes).base64EncodedString()
    let text = base64.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    return "e30.\(text).sig"
}

func roomFrame(_ id: String, seq: Int64 = 0, unread: Int64 = 0) -> JSONValue {
    var room: JSONObject = [
        "roomId": .string(id), "name": "R", "type": "group", "memberCount": 2, "lastSeq": JSONValue(seq),
        "createdAt": "2026-01-01T00:00:00.000Z", "lastReadSeq": 0, "unreadCount": JSONValue(unread),
    ]
    if seq > 0 { room["mark"] = .string("mark\(seq)") }
    return .object(room)
}

func messageFrame(_ room: String, _ seq: Int64, sender: Int64 = 2, key: String? = nil, text: String? = nil) -> JSONValue
{
    var frame: JSONObject = [
        "eventType": "message", "roomId": .string(room), "seq": JSONValue(seq), "mark": .string("mark\(seq)"),
        "messageId": JSONValue(seq * 10), "senderId": JSONValue(sender), "messageType": "text",
        "contentJson": .string(JSONValue.object(["text": .string(text ?? "\(seq)")]).text),
        "sentAt": "2026-01-02T00:00:00.000Z", "isEdited": false, "isDeleted": false,
    ]
    if let key { frame["clientMessageId"] = .string(key) }
    return .object(frame)
}

func makeClient(
    _ server: FakeServer, userID: Int64? = 1, store: any ChatStore = .memory,
    tokens: @escaping @Sendable (TokenReason) async throws -> String = { _ in token(of: 1) }
) throws -> ChatClient {
    let configuration = try ChatConfiguration(
        system: "http://system.test", messages: "http://messages.test", sockets: "http://sockets.test", userID: userID)
    return ChatClient(
        core: ChatCore(
            configuration: configuration, tokens: tokens, store: store, transport: server,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), random: { 0 }))
}

/// Runs a client for as long as the body takes.
func running<Result: Sendable>(
    _ client: ChatClient, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await client.run() }
        defer { group.cancelAll() }
        return try await body()
    }
}

extension ChatClient {
    func reaches(_ state: ConnectionState, _ reason: ConnectionReason? = nil) async {
        for await status in connectionStates where status.state == state && (reason ?? status.reason) == status.reason {
            return
        }
    }
}

/// Waits until a condition holds that nothing announces, or until the test's time limit has cancelled it.
func until(_ holds: () -> Bool) async throws {
    while !holds() {
        try Task.checkCancellation()
        await Task.yield()
    }
}
