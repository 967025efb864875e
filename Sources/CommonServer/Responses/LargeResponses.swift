import CommonUtil
import Glibc
import Hummingbird
import NIOCore
import NIOPosix
import Synchronization

/// Bounds the memory of responses that wait for clients to read them.
///
/// A response of more than 256 KiB is written in pieces, each when the client has read enough of the ones before. All
/// such responses of a process share 64 MiB. If there is no room for another one, the response whose client has made
/// no progress for the longest time, and for at least a second, is aborted; without such a response the new one is 503.
///
/// The memory in which responses are made is bounded by ``PageReadLimiter``.
final class LargeResponses: Sendable {
    /// Maximum size of a response that is written at once.
    static let threshold = 256 * 1_024

    private struct State {
        var ledger: LargeResponseLedger
        var channels: [Int: any Channel] = [:]
    }

    private let state: Mutex<State>
    private let allocator = AllocatorTrim()

    init(maximumBytes: Int = 64 * 1_024 * 1_024) {
        state = Mutex(State(ledger: LargeResponseLedger(maximumBytes: maximumBytes)))
    }

    /// Bounds a response.
    /// - Parameter channel: the connection of the response.
    /// - Returns: the same body, written as the client reads it. A small one is returned as it is.
    /// - Throws: `unavailable` (503) if too many bytes wait for other clients.
    func bounded(_ body: ResponseBody, on channel: any Channel) throws(ChatError) -> ResponseBody {
        let length = body.contentLength ?? 0
        guard length > Self.threshold else { return body }
        guard let reservation = reserve(length, channel) else {
            throw .unavailable("Too many large responses wait to be read by their clients")
        }
        return ResponseBody(contentLength: length) { writer in
            try await body.write(
                ProgressiveBodyWriter(parent: writer, eventLoop: channel.eventLoop, reservation: reservation))
        }
    }

    private func reserve(_ bytes: Int, _ channel: any Channel) -> Reservation? {
        let (id, evicted) = state.withLock { state in
            let (id, evictedID) = state.ledger.begin(bytes, at: .now)
            if let id { state.channels[id] = channel }
            return (id, evictedID.flatMap { state.channels.removeValue(forKey: $0) })
        }
        if let evicted { evicted.eventLoop.execute { evicted.abort() } }
        return id.map { Reservation(id: $0, responses: self) }
    }

    fileprivate func progressed(_ id: Int) { state.withLock { $0.ledger.progressed(id, at: .now) } }

    fileprivate func end(_ id: Int) {
        state.withLock { state in
            state.ledger.end(id)
            state.channels[id] = nil
        }
        allocator.trimSoon()
    }
}

/// The share of the bound that a large response holds until it is freed.
private final class Reservation: Sendable {
    let id: Int
    let responses: LargeResponses

    init(id: Int, responses: LargeResponses) {
        self.id = id
        self.responses = responses
    }

    deinit { responses.end(id) }

    func progressed() { responses.progressed(id) }
}

/// Writes a body in pieces, as the client reads them.
private struct ProgressiveBodyWriter: ResponseBodyWriter {
    private static let pieceBytes = 64 * 1_024

    var parent: any ResponseBodyWriter
    let eventLoop: any EventLoop
    let reservation: Reservation

    mutating func write(_ buffer: ByteBuffer) async throws {
        var rest = buffer
        while let piece = rest.readSlice(length: min(Self.pieceBytes, rest.readableBytes)), piece.readableBytes > 0 {
            // Waits while more is queued than the connection's watermark allows. That is known only once the piece has
            // reached the event loop, which the writer itself does not wait for.
            try await parent.write(piece)
            try await eventLoop.submit {}.get()
            reservation.progressed()
        }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws { try await parent.finish(trailingHeaders) }
}

/// The large responses that are being written. Pure: no I/O.
struct LargeResponseLedger {
    private struct Entry {
        let bytes: Int
        var lastProgress: ContinuousClock.Instant
    }

    private static let stallTimeout = Duration.seconds(1)

    private let maximumBytes: Int
    private var entries: [Int: Entry] = [:]
    private(set) var bytes = 0
    private var lastID = 0

    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// Adds a response. A single one is accepted whatever its size.
    /// - Returns: the id of the response, `nil` if there is no room, and the id of a response that has to be aborted.
    mutating func begin(_ bytes: Int, at now: ContinuousClock.Instant) -> (id: Int?, evicted: Int?) {
        var evicted: Int?
        if !fits(bytes) {
            let longest = entries.min { $0.value.lastProgress < $1.value.lastProgress }
            guard let longest, now - longest.value.lastProgress >= Self.stallTimeout else { return (nil, nil) }
            evicted = longest.key
            end(longest.key)
            guard fits(bytes) else { return (nil, evicted) }
        }
        lastID += 1
        entries[lastID] = Entry(bytes: bytes, lastProgress: now)
        self.bytes += bytes
        return (lastID, evicted)
    }

    /// Records that the client has read some of a response.
    mutating func progressed(_ id: Int, at now: ContinuousClock.Instant) { entries[id]?.lastProgress = now }

    /// Removes a response, if it is still there.
    mutating func end(_ id: Int) {
        if let entry = entries.removeValue(forKey: id) { bytes -= entry.bytes }
    }

    private func fits(_ bytes: Int) -> Bool { entries.isEmpty || self.bytes + bytes <= maximumBytes }
}

/// Returns the memory of large responses to the system: malloc(3) keeps memory that is freed below the top of its heap.
final class AllocatorTrim: Sendable {
    private static let interval = Duration.seconds(5)

    /// malloc_trim(3), which is missing from Glibc's module. Other C libraries can lack it.
    private static let trim: (@convention(c) (Int) -> CInt)? = dlsym(nil, "malloc_trim").map {
        unsafeBitCast($0, to: (@convention(c) (Int) -> CInt).self)
    }

    /// mallopt(3), which is missing from Glibc's module too.
    private static let setOption: (@convention(c) (CInt, CInt) -> CInt)? = dlsym(nil, "mallopt").map {
        unsafeBitCast($0, to: (@convention(c) (CInt, CInt) -> CInt).self)
    }

    private let isDue = Mutex(false)

    /// Makes malloc(3) map blocks of 1 MiB and more separately, so that their memory returns to the system when they are
    /// freed. By default this threshold rises, up to 32 MiB, with each large block that is freed. Measured with 30 requests
    /// for pages of 12.8 MB, 16 of them made at a time: 470 MiB resident by default, 340 MiB with a fixed threshold.
    ///
    /// Should be called once, at the start of the process.
    static func mapLargeBlocks() {
        // M_MMAP_THRESHOLD of malloc.h.
        _ = setOption?(-3, 1_024 * 1_024)
    }

    /// Schedules a trim. It runs at most once in five seconds and not on an event loop, since it holds the locks of all
    /// arenas for milliseconds.
    func trimSoon() {
        let isFirst = isDue.withLock { isDue in
            defer { isDue = true }
            return !isDue
        }
        guard isFirst else { return }
        Task {
            try? await Task.sleep(for: Self.interval)
            self.isDue.withLock { $0 = false }
            _ = try? await NIOThreadPool.singleton.runIfActive { Self.trim?(0) }
        }
    }
}
