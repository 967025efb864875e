import ChatFileStore
import ChatLocalStack
import ChatTestSupport
import CommonLogging
import CommonUtil
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(2))) struct FileMetricsTests {
    private let registry = PrometheusRegistry()

    @Test func `an upload has one result`() {
        for (error, result) in [
            (ChatError(.malformedRequest), FileMetrics.UploadResult.broken), (ChatError(.requestTimeout), .broken),
            (ChatError(.fileTooLarge), .refused), (ChatError(.rateLimited), .refused), (.unavailable("x"), .failed),
            (ChatError(.storeForeign), .failed),
        ] { #expect(FileMetrics.UploadResult(error) == result) }
        #expect(FileMetrics.UploadResult(CancellationError()) == .failed)
    }

    @Test func `calls that a store does not do are counted, a file that is not there is none of them`() async throws {
        let store = MeteredFileStore(
            MemoryFileStore { call, _ throws(FileStoreError) in
                if case .list = call { return }
                if call == .read("a") { return }
                throw .away("away")
            }, metrics: FileMetrics(factory: registry))
        await #expect(throws: FileStoreError.away("away")) { try await store.put("a", from: "/none", size: 1) }
        await #expect(throws: FileStoreError.away("away")) { try await store.remove("a") }
        await #expect(throws: FileStoreError.away("away")) { try await store.size(of: "a") }
        await #expect(throws: FileStoreError.away("away")) { try await store.installation() }
        await #expect(throws: FileStoreError.away("away")) { _ = try await store.read("b", range: 0..<1) }
        await #expect(throws: FileStoreError.notFound) { _ = try await store.read("a", range: 0..<1) }
        #expect(try await store.list(after: nil).isEmpty)
        for (call, count) in [("put", 1), ("remove", 1), ("other", 2), ("read", 1)] {
            #expect(registry.text().contains("chat_file_store_errors_total{call=\"\(call)\"} \(count)\n"), "\(call)")
        }
    }

    @Test func `a server counts what its uploads and downloads bring`() async throws {
        let stack = try await SharedStack.running()
        try await stack.withServer(.message, ["CHAT_FILE_MAX_BYTES": "100"]) { server in
            let fixture = try await FileFixture(stack, server: server)
            let stored = try await fixture.upload(key: "k").require(201, "upload").json
            #expect(try await fixture.upload(key: "k").status == 200)
            #expect(try await fixture.upload([UInt8](repeating: 1, count: 101)).status == 413)
            let id = stored["fileId"]?.string ?? ""
            #expect(try await fixture.download(id, headers: [("Range", "bytes=0-4")]).status == 206)
            #expect(try await fixture.download(id).status == 200)
            var text = try await fixture.server.get("/metrics").text
            // The server ends a download, and an upload in its spool, a moment after its client has the last byte.
            let deadline = ContinuousClock.now + .seconds(20)
            while !text.contains(#"chat_file_downloads{state="active"} 0"#)
                || !text.contains("chat_file_spool_bytes 0\n"), ContinuousClock.now < deadline
            {
                try await Task.sleep(for: .milliseconds(10))
                text = try await fixture.server.get("/metrics").text
            }
            for line in [
                #"chat_file_uploads_total{result="stored"} 1"#, #"chat_file_uploads_total{result="repeated"} 1"#,
                #"chat_file_uploads_total{result="refused"} 1"#, #"chat_file_uploads_total{result="failed"} 0"#,
                "chat_file_upload_bytes_total 12", "chat_file_upload_seconds_count 1", "chat_file_spool_bytes 0",
                "chat_file_download_bytes_total 17", #"chat_file_downloads{state="active"} 0"#,
                #"chat_file_store_errors_total{call="put"} 0"#,
            ] { #expect(text.contains(line + "\n"), "\(line)") }
        }
    }
}
