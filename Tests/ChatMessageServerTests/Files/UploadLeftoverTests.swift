import ChatFileStore
import ChatStorage
import ChatTestSupport
import CommonUtil
import Synchronization
import Testing

@testable import ChatMessageServer

/// What uploads leave that the store did not take, or took too late.
@Suite(.timeLimit(.minutes(1))) struct UploadLeftoverTests {
    private static func upload() -> FileUpload { UploadParts.upload() }

    @Test func `bytes that come to the store after it was given up are removed later`() async throws {
        let store = MemoryFileStore { call, _ throws(FileStoreError) in
            // It has the bytes and does not answer in time.
            if case .put = call { throw .away("not answered in time") }
        }
        try await UploadParts.with(store) { parts in
            let upload = Self.upload()
            await #expect(throws: ChatError.self) { try await parts.keep(upload, in: store) }
            #expect(store.calls.contains(.remove(upload.fileID.rawValue)))
            // Behind the removal it carries the request out.
            store.set(upload.fileID.rawValue, size: 5)
            #expect(try await parts.cleaner.clean() == 0)
            try await parts.waitForGrace()
            #expect(try await parts.cleaner.clean() == 1)
            #expect(store.keys.isEmpty)
            #expect(try await parts.rows("file_uploads") == 0)
            #expect(try await parts.rows("files") == 0)
        }
    }

    @Test func `the key of an upload that failed is free at once, and what is stored under it stays`() async throws {
        let isAway = Mutex(true)
        let store = MemoryFileStore { call, _ throws(FileStoreError) in
            if case .put = call, isAway.withLock({ $0 }) { throw .full }
        }
        try await UploadParts.with(store) { parts in
            await #expect(throws: ChatError.self) { try await parts.keep(Self.upload(), in: store) }
            isAway.withLock { $0 = false }
            let file = try await parts.keep(Self.upload(), in: store)
            try await parts.waitForGrace()
            #expect(try await parts.cleaner.clean() == 1)
            #expect(store.keys == [file.fileID.rawValue])
            #expect(try await parts.rows("file_uploads") == 0)
            #expect(try await parts.rows("files") == 1)
        }
    }

    @Test func `a store that cannot remove keeps no key, and is asked again`() async throws {
        let isAway = Mutex(true)
        let store = MemoryFileStore { call, _ throws(FileStoreError) in
            if call != .marker, isAway.withLock({ $0 }), case .remove = call { throw .away("away") }
        }
        try await UploadParts.with(store, quota: 4) { parts in
            let upload = Self.upload()
            await #expect(throws: ChatError(.fileQuota)) { try await parts.keep(upload, in: store) }
            #expect(store.keys == [upload.fileID.rawValue])
            try await parts.waitForGrace()
            #expect(try await parts.cleaner.clean() == 0)
            isAway.withLock { $0 = false }
            try await parts.waitForGrace()
            #expect(try await parts.cleaner.clean() == 1)
            #expect(store.keys.isEmpty)
            #expect(try await parts.rows("file_uploads") == 0)
        }
    }

    @Test func `a store that hangs while it removes a file is still asked whether it responds`() async throws {
        let (hanging, hangs) = AsyncStream<Void>.makeStream()
        let isAway = Mutex(false)
        let store = MemoryFileStore { call, _ throws(FileStoreError) in
            if case .remove = call {
                isAway.withLock { $0 = true }
                hangs.yield()
                // As long as the cleaner runs.
                try? await Task.sleep(for: .seconds(3_600))
            }
            if isAway.withLock({ $0 }) { throw .away("away") }
        }
        try await UploadParts.with(store) { parts in
            let upload = Self.upload()
            #expect(try await parts.service.uploads.begin(upload) == .begun)
            try await parts.service.uploads.abandon(upload)
            try await parts.waitForGrace()
            parts.cleaner.begin()
            let running = Task { try await parts.cleaner.run() }
            #expect(await hanging.first { true } != nil)
            // No event reports this.
            while parts.storage.responds { try await Task.sleep(for: .milliseconds(5)) }
            running.cancel()
            try await running.value
        }
    }
}
