import Foundation
import NIOConcurrencyHelpers
import Testing

@testable import ChatClient

/// Files against servers that run, as ``RealServerTests``.
@Suite(.enabled(if: RealServerTests.environment["CHAT_SYSTEM_URL"] != nil), .timeLimit(.minutes(2)))
final class RealFileTests: Sendable {
    /// Cuts this many uploads off in the middle.
    private final class CuttingTransport: ChatTransport {
        private let transport = NIOTransport()
        let cuts: NIOLockedValueBox<Int>

        init(cuts: Int) { self.cuts = NIOLockedValueBox(cuts) }

        func call(_ call: HTTPCall) async throws -> ClientResponse { try await transport.call(call) }
        func keepConnections() { transport.keepConnections() }
        func closeConnections() { transport.closeConnections() }

        func upload(
            _ call: HTTPCall, _ body: UploadBody, onSent: @escaping @Sendable (Int64) -> Void
        ) async throws -> ClientResponse {
            let isWhole = cuts.withLockedValue { cuts in
                cuts -= 1
                return cuts < 0
            }
            if isWhole { return try await transport.upload(call, body, onSent: onSent) }
            let (halves, half) = AsyncStream.makeStream(of: Void.self)
            return try await withThrowingTaskGroup(of: ClientResponse.self) { [transport] group in
                group.addTask {
                    try await transport.upload(call, body) { sent in
                        onSent(sent)
                        if sent >= body.size / 2 { half.yield() }
                    }
                }
                group.addTask {
                    for await _ in halves { break }
                    throw ChatError.cut
                }
                defer { group.cancelAll() }
                return try #require(try await group.next())
            }
        }

        func connect(
            _ request: ConnectionRequest, output: AsyncStream<ConnectionOutput>,
            receive: @escaping @Sendable ([ConnectionInput]) async -> Void
        ) async -> ConnectionEnd {
            await transport.connect(request, output: output, receive: receive)
        }
    }

    let path = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString).bin").path

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @Test func `a file whose upload is cut off is stored once, and others can read it`() async throws {
        let content = try #require(try FileHandle(forReadingAtPath: "/dev/urandom")?.read(upToCount: 8 << 20))
        try content.write(to: URL(fileURLWithPath: path))
        let bytes = Array(content)
        let (alice, bob) = (try await RealServerTests.register(), try await RealServerTests.register())
        let transport = CuttingTransport(cuts: 2)
        let (a, b) = (
            try RealServerTests.client(alice, transport: transport), try RealServerTests.client(bob)
        )
        let reported = NIOLockedValueBox<[UploadProgress]>([])
        try await RealServerTests.running(a, b) { [path] in
            let room = a.room(try await a.createRoom(name: "R", type: "group", memberIDs: [bob.userID]).roomID)
            for await list in b.roomLists where list.contains(where: { $0.roomID == room.id }) { break }
            let file = OutgoingFile(path: path)
            let sent = try await room.sendFile(file, caption: "c", key: "k") { progress in
                reported.withLockedValue { $0.append(progress) }
            }.stored()
            let again = try await room.sendFile(OutgoingFile(path: path), caption: "c", key: "k").stored()
            #expect(again.messageID == sent.messageID)
            #expect(again.file?.fileID == sent.file?.fileID)
            for try await event in b.room(room.id).events(after: 0) {
                guard case .message(let message) = event else { continue }
                #expect(message.messageID == sent.messageID)
                #expect(message.messageType == "file")
                #expect(message.file?.caption == "c")
                let stored = try #require(try await b.files([message.file?.fileID ?? ""]).first)
                #expect(stored.name == file.name)
                #expect(stored.fileSize == Int64(bytes.count))
                // Without a token, for whoever has the address.
                let server = try await b.core.addresses().messages
                let path = try #require(stored.url?.split(separator: server.description).first)
                let answer = try await RealServerTests.transport.call(HTTPCall(server: server, path: String(path)))
                #expect(answer.status == 200)
                #expect(answer.body == bytes)
                break
            }
        }
        #expect(transport.cuts.withLockedValue { $0 } < 0)
        let steps = reported.withLockedValue { $0.map(\.sent) }
        // Once for each cut, and again where the server has not noticed a cut yet and refuses the next attempt.
        #expect(zip(steps, steps.dropFirst()).count { $0 > $1 } >= 2)
        #expect(steps.last == Int64(bytes.count))
    }

    @Test func `a picture has a thumbnail`() async throws {
        // The smallest PNG: one grey pixel.
        let png = try #require(
            Data(
                base64Encoded: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB"
                    + "2kUIOwAAAABJRU5ErkJggg=="))
        let a = try RealServerTests.client(try await RealServerTests.register())
        try await RealServerTests.running(a) {
            let room = a.room(try await a.createRoom(name: "R", type: "private").roomID)
            let file = OutgoingFile(bytes: Array(png), name: "a.png", thumbnail: Array(png))
            let message = try await room.sendFile(file).stored()
            #expect(message.messageType == "image")
            let stored = try #require(try await a.files([message.file?.fileID ?? ""]).first)
            #expect((stored.width, stored.height) == (1, 1))
            #expect(stored.mimeType == "image/png")
            #expect(stored.thumbnailURL != nil)
        }
    }

    @Test func `what is too large, and what an archived room does not take, is refused`() async throws {
        try #require(FileManager.default.createFile(atPath: path, contents: nil))
        let large = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try large.truncate(atOffset: (50 << 20) + 1)
        try large.close()
        let a = try RealServerTests.client(try await RealServerTests.register())
        try await RealServerTests.running(a) { [path] in
            let room = a.room(try await a.createRoom(name: "R", type: "private").roomID)
            let tooLarge = await #expect(throws: ChatError.self) {
                try await room.sendFile(OutgoingFile(path: path))
            }
            #expect(tooLarge?.code == .fileTooLarge)
            #expect(tooLarge?.status == 413)
            try await a.core.rest(.delete, .system, "/api/v1/rooms/\(room.id)")
            let archived = await #expect(throws: ChatError.self) {
                try await room.sendFile(OutgoingFile(bytes: [1], name: "a"))
            }
            #expect(archived?.code == "room_archived")
            #expect(a.outbox.value.isEmpty)
        }
    }
}
