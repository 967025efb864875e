import ChatTestSupport
import CommonLogging
import CommonUtil
import NIOCore
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct DownloadSlotsTests {
    private let registry = PrometheusRegistry()
    private let ann = DownloadReader.user(UserID(1))
    private let bob = DownloadReader.user(UserID(2))

    private func slots(timeout: Duration = .seconds(30), stall: Duration = .seconds(30)) -> DownloadSlots {
        var limits = DownloadQueue.Limits()
        (limits.active, limits.waiting, limits.stallTimeout) = (1, 1, stall)
        return DownloadSlots(
            limits, timeout: timeout, step: .milliseconds(5), metrics: FileMetrics(factory: registry))
    }

    private func metric(_ line: String) -> Bool { registry.text().contains(line + "\n") }

    /// Returns once a download waits: nothing reports that but the metric.
    private func whenWaiting() async throws {
        while !metric(#"chat_file_downloads{state="waiting"} 1"#) { await Task.yield() }
    }

    @Test func `a download waits for its turn`() async throws {
        let slots = slots()
        var first: DownloadSlots.Slot? = try await slots.take(ann) {}
        #expect(metric(#"chat_file_downloads{state="active"} 1"#))
        async let second = slots.take(bob) {}
        try await whenWaiting()
        #expect(first != nil)
        first = nil
        let slot = try await second
        #expect(metric(#"chat_file_downloads{state="waiting"} 0"#) && metric(#"chat_file_downloads{state="active"} 1"#))
        withExtendedLifetime(slot) {}
    }

    private func expectRefused(_ body: () async throws -> DownloadSlots.Slot) async {
        let error = await #expect(throws: ChatError.self) { _ = try await body() }
        #expect(error?.code == .unavailable && error?.retryAfterSeconds != nil)
    }

    @Test func `where too many wait, the next one is refused at once`() async throws {
        let slots = slots()
        let first = try await slots.take(ann) {}
        let second = Task { try await slots.take(bob) {} }
        try await whenWaiting()
        let start = ContinuousClock.now
        await expectRefused { try await slots.take(bob) {} }
        #expect(ContinuousClock.now - start < .seconds(25))
        #expect(metric(#"chat_file_downloads{state="waiting"} 1"#))
        second.cancel()
        await #expect(throws: ChatError.self) { try await second.value }
        withExtendedLifetime(first) {}
    }

    @Test func `who waits too long is refused and may come again`() async throws {
        let slots = slots(timeout: .milliseconds(50))
        var first: DownloadSlots.Slot? = try await slots.take(ann) {}
        // The second one begins to wait after nobody did.
        for _ in 0..<2 { await expectRefused { try await slots.take(bob) {} } }
        #expect(metric(#"chat_file_downloads{state="waiting"} 0"#))
        #expect(first != nil)
        first = nil
        let next = try await slots.take(bob) {}
        withExtendedLifetime(next) {}
    }

    @Test func `a place is free once the last byte was handed out, though its client still holds the connection`()
        async throws
    {
        let slots = slots()
        let pieces = AsyncThrowingStream<ByteBuffer, any Error> { continuation in
            continuation.yield(ByteBuffer(repeating: 1, count: 10))
            continuation.finish()
        }
        let bytes = SlottedBytes(pieces, try await slots.take(ann) {})
        var iterator = bytes.makeAsyncIterator()
        #expect(try await iterator.next()?.readableBytes == 10)
        #expect(metric(#"chat_file_downloads{state="active"} 1"#))
        #expect(try await iterator.next() == nil)
        #expect(metric(#"chat_file_downloads{state="active"} 0"#))
        // What ends again takes no place of another one.
        let next = try await slots.take(bob) {}
        #expect(try await iterator.next() == nil)
        #expect(metric(#"chat_file_downloads{state="active"} 1"#))
        withExtendedLifetime((bytes, next)) {}
    }

    @Test func `a cancelled one takes no place`() async throws {
        let slots = slots()
        var first: DownloadSlots.Slot? = try await slots.take(ann) {}
        let task = Task { try await slots.take(bob) {} }
        try await whenWaiting()
        task.cancel()
        await #expect(throws: ChatError.self) { try await task.value }
        #expect(first != nil)
        first = nil
        let next = try await slots.take(bob) {}
        withExtendedLifetime(next) {}
    }

    @Test func `a download whose client takes nothing is cut once another one waits`() async throws {
        let slots = slots(stall: .zero)
        let (cuts, cut) = AsyncStream.makeStream(of: Void.self)
        var slot: DownloadSlots.Slot? = try await slots.take(ann) { cut.yield() }
        let pieces = AsyncThrowingStream<ByteBuffer, any Error> { $0.yield(ByteBuffer(repeating: 1, count: 10)) }
        var bytes: SlottedBytes<AsyncThrowingStream<ByteBuffer, any Error>>.Iterator? = SlottedBytes(
            pieces, try #require(slot)
        ).makeAsyncIterator()
        slot = nil
        // From here on it waits for its client.
        #expect(try await bytes?.next()?.readableBytes == 10)
        async let second = slots.take(bob) {}
        #expect(await cuts.first { _ in true } != nil)
        // As the end of its connection does.
        bytes = nil
        let next = try await second
        withExtendedLifetime(next) {}
        #expect(metric("chat_file_downloads_cut_total 1") && metric("chat_file_download_bytes_total 10"))
    }
}
