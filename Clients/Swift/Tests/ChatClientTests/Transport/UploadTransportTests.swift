import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) final class UploadTransportTests: Sendable {
    let transport = NIOTransport()
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString)").path

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Makes a file of zeros, which takes no room on the disk.
    private func makeFile(_ size: UInt64) throws {
        try #require(FileManager.default.createFile(atPath: path, contents: nil))
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.truncate(atOffset: size)
        try file.close()
    }

    private func upload(
        _ server: ServerAddress, _ body: UploadBody, stall: Int64 = 60_000,
        onSent: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws -> ClientResponse {
        var call = HTTPCall(method: .post, server: server, path: "/files")
        call.headers = [("content-type", "video/mp4")]
        call.timeoutMilliseconds = stall
        return try await transport.upload(call, body, onSent: onSent)
    }

    private static func answer(_ status: String, _ body: String) -> ByteBuffer {
        ByteBuffer(string: "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    @Test func `a file goes as a stream and is counted`() async throws {
        let size: Int64 = 5_000_001
        try makeFile(UInt64(size))
        let (reported, received) = (NIOLockedValueBox<[Int64]>([]), NIOLockedValueBox(0))
        try await ScriptedServer.running { request, inbound, out in
            let parts = request.components(separatedBy: "\r\n\r\n")
            #expect(parts[0].hasPrefix("POST /files HTTP/1.1\r\n"))
            #expect(parts[0].contains("content-length: \(size)\r\n"))
            #expect(parts[0].contains("content-type: video/mp4"))
            var count = parts[1].utf8.count
            while count < size, let bytes = try await inbound.next() { count += bytes.readableBytes }
            received.withLockedValue { [count] in $0 = count }
            try await out.write(Self.answer("201 Created", "{}"))
        } _: { [self] server in
            let answer = try await upload(server, UploadBody(path: path)) { sent in
                reported.withLockedValue { $0.append(sent) }
            }
            #expect(answer.status == 201)
            #expect(answer.body == Array("{}".utf8))
        }
        #expect(received.withLockedValue { $0 } == size)
        let sent = reported.withLockedValue { $0 }
        #expect(sent.last == size)
        #expect(sent.count > 50)
        #expect(zip(sent, sent.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test func `an answer before the end of the body ends the upload`() async throws {
        try makeFile(1 << 30)
        try await ScriptedServer.running { _, _, out in
            try await out.write(Self.answer("413 Content Too Large", #"{"code":"file_too_large"}"#))
        } _: { [self] server in
            let answer = try await upload(server, UploadBody(path: path))
            #expect(answer.status == 413)
        }
    }

    @Test(arguments: ["", "HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{}", "hello\r\n\r\n"])
    func `an upload that is cut is a network error`(_ text: String) async throws {
        try await ScriptedServer.running { _, inbound, out in
            _ = try await inbound.next()
            if !text.isEmpty { try await out.write(ByteBuffer(string: text)) }
        } _: { [self] server in
            let error = await #expect(throws: ChatError.self) {
                try await upload(server, UploadBody(Array(repeating: 1, count: 10_000_000)))
            }
            #expect(error?.code == .network)
            #expect(error?.isTemporary == true)
        }
    }

    @Test func `what the server does not take is not read, and an upload that stands still is a timeout`() async throws
    {
        let size: Int64 = 1 << 30
        try makeFile(UInt64(size))
        let sent = NIOLockedValueBox<Int64>(0)
        let (ended, end) = AsyncStream.makeStream(of: Void.self)
        try await ScriptedServer.running { _, _, _ in
            for await _ in ended { break }
        } _: { [self] server in
            let error = await #expect(throws: ChatError.self) {
                try await upload(server, UploadBody(path: path), stall: 500) { count in
                    sent.withLockedValue { $0 = count }
                }
            }
            end.yield()
            #expect(error?.code == .timeout)
        }
        // What the buffers of both ends hold.
        #expect(sent.withLockedValue { $0 } < size / 8)
    }

    @Test func `a file that becomes shorter is no whole upload`() async throws {
        try makeFile(1 << 30)
        let body = try await UploadBody(path: path)
        #expect(truncate(path, 100_000) == 0)
        try await ScriptedServer.running { _, inbound, _ in
            while try await inbound.next() != nil {}
        } _: { [self] server in
            let error = await #expect(throws: ChatError.self) { try await upload(server, body) }
            #expect(error?.code == .invalid)
            #expect(error?.isTemporary == false)
        }
    }

    @Test func `a cancelled upload ends at once`() async throws {
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        try await ScriptedServer.running { _, inbound, _ in
            begin.yield()
            while try await inbound.next() != nil {}
        } _: { [self] server in
            let task = Task { try await upload(server, UploadBody([1, 2, 3])) }
            for await _ in begun { break }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }
}
