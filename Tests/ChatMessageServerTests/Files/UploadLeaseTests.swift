import ChatStorage
import ChatTestSupport
import CommonUtil
import Hummingbird
import NIOCore
import Testing

@testable import ChatMessageServer
@testable import CommonServer

/// Uploads that their server holds no longer.
@Suite(.timeLimit(.minutes(1))) struct UploadLeaseTests {
    @Test(arguments: [
        // A server that removes what is left behind takes it.
        "UPDATE file_uploads SET holder = 0, idempotency_key = NULL",
        // The client has sent its request again, to another server.
        "UPDATE file_uploads SET idempotency_key = NULL", "DELETE FROM file_uploads",
    ])
    func `an upload whose lease is lost ends while its body still arrives`(loss: String) async throws {
        let store = MemoryFileStore()
        try await UploadParts.with(store) { parts in
            var service = parts.service
            service.leaseRenewal = .milliseconds(20)
            let (pieces, arrival) = AsyncStream.makeStream(of: ByteBuffer.self)
            let request = UploadService.Request(
                roomID: RoomID(verified: "hall"), name: "a", uploaderID: ChangeFixture.ann, key: "k",
                waitsForContinue: false)
            let upload = Task { [service] in
                defer { arrival.finish() }
                return try await service.upload(request) { UploadedBody(body: RequestBody(asyncSequence: pieces)) }
            }
            while try await parts.rows("file_uploads") == 0 { try await Task.sleep(for: .milliseconds(2)) }
            try await parts.execute(loss)
            // The rest of the body never comes to its end.
            while case .enqueued = arrival.yield(ByteBuffer(string: "x")) {
                try await Task.sleep(for: .milliseconds(20))
            }
            let error = await #expect(throws: ChatError.self) { try await upload.value }
            #expect(error?.code == .unavailable)
            #expect(store.keys.isEmpty && !store.calls.contains { if case .put = $0 { true } else { false } })
        }
    }

    @Test func `an upload that lasts longer than its lease is stored`() async throws {
        let store = MemoryFileStore()
        try await UploadParts.with(store) { parts in
            var service = parts.service
            service.leaseRenewal = .milliseconds(20)
            let (pieces, arrival) = AsyncStream.makeStream(of: ByteBuffer.self)
            let request = UploadService.Request(
                roomID: RoomID(verified: "hall"), name: "a", uploaderID: ChangeFixture.ann, key: "k",
                waitsForContinue: false)
            let upload = Task { [service] in
                try await service.upload(request) { UploadedBody(body: RequestBody(asyncSequence: pieces)) }
            }
            while try await parts.rows("file_uploads") == 0 { try await Task.sleep(for: .milliseconds(2)) }
            for _ in 0..<3 {
                // As after a time in which the database was away.
                try await parts.execute("UPDATE file_uploads SET held_until = now() - interval '1 second'")
                while try await parts.rows("file_uploads WHERE held_until > now()") == 0 {
                    try await Task.sleep(for: .milliseconds(2))
                }
                arrival.yield(ByteBuffer(string: "x"))
            }
            arrival.finish()
            #expect(try await upload.value.file.size == 3)
        }
    }
}
