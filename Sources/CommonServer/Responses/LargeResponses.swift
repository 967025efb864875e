import CommonUtil
import Glibc
import Hummingbird
import NIOCore
import NIOPosix
import Synchronization

/// Bounds what answers cost that wait for clients to take them.
///
/// An answer of more than 256 KiB is written in pieces, each when the client has taken enough of those before. All such
/// answers of a process share 64 MiB. Where there is no place for another one, the answer that its client has taken
/// nothing of for longest, and for a second at least, is ended for it; if there is none, the new one is 503.
final class LargeResponses: Sendable {
    /// Answers of up to so many bytes are written at once.
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

    /// - Parameter channel: the connection that the answer is for.
    /// - Returns: the same answer, written as the client takes it; a small one is left as it is.
    /// - Throws: `unavailable` where too much waits for other clients.
    func bounded(_ body: ResponseBody, on channel: any Channel) throws(ChatError) -> ResponseBody {
        let length = body.contentLength ?? 0
        guard length > Self.threshold else { return body }
        guard let place = place(length, channel) else {
            throw .unavailable("Too many large answers wait to be read by their clients")
        }
        return ResponseBody(contentLength: length) { writer in
            try await body.write(ProgressiveBodyWriter(parent: writer, eventLoop: channel.eventLoop, place: place))
        }
    }

    private func place(_ bytes: Int, _ channel: any Channel) -> Place? {
        let (id, evicted) = state.withLock { state in
            let (id, evictedID) = state.ledger.begin(bytes, at: .now)
            if let id { state.channels[id] = channel }
            return (id, evictedID.flatMap { state.channels.removeValue(forKey: $0) })
        }
        if let evicted { evicted.eventLoop.execute { evicted.abort() } }
        return id.map { Place(id: $0, answers: self) }
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

/// What a large answer takes of the bound, until the answer is gone.
private final class Place: Sendable {
    let id: Int
    let answers: LargeResponses

    init(id: Int, answers: LargeResponses) {
        self.id = id
        self.answers = answers
    }

    deinit { answers.end(id) }

    func progressed() { answers.progressed(id) }
}

/// Hands a body on in pieces.
private struct ProgressiveBodyWriter: ResponseBodyWriter {
    private static let pieceBytes = 64 * 1_024

    var parent: any ResponseBodyWriter
    let eventLoop: any EventLoop
    let place: Place

    mutating func write(_ buffer: ByteBuffer) async throws {
        var rest = buffer
        while let piece = rest.readSlice(length: min(Self.pieceBytes, rest.readableBytes)), piece.readableBytes > 0 {
            // Waits while more is queued than the connection's watermark allows. That is known only once the piece before
            // has reached the event loop, which the writer itself does not wait for.
            try await parent.write(piece)
            try await eventLoop.submit {}.get()
            place.progressed()
        }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws { try await parent.finish(trailingHeaders) }
}

/// Large answers that are being written. Pure, no I/O.
struct LargeResponseLedger {
    private struct Answer {
        let bytes: Int
        var lastProgress: ContinuousClock.Instant
    }

    private static let stallTimeout = Duration.seconds(1)

    private let maximumBytes: Int
    private var answers: [Int: Answer] = [:]
    private(set) var bytes = 0
    private var lastID = 0

    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// A single answer has a place whatever its length.
    /// - Returns: the answer's id, `nil` where it has no place, and the one that has to end for it.
    mutating func begin(_ bytes: Int, at now: ContinuousClock.Instant) -> (id: Int?, evicted: Int?) {
        var evicted: Int?
        if !fits(bytes) {
            let longest = answers.min { $0.value.lastProgress < $1.value.lastProgress }
            guard let longest, now - longest.value.lastProgress >= Self.stallTimeout else { return (nil, nil) }
            evicted = longest.key
            end(longest.key)
            guard fits(bytes) else { return (nil, evicted) }
        }
        lastID += 1
        answers[lastID] = Answer(bytes: bytes, lastProgress: now)
        self.bytes += bytes
        return (lastID, evicted)
    }

    mutating func progressed(_ id: Int, at now: ContinuousClock.Instant) { answers[id]?.lastProgress = now }

    mutating func end(_ id: Int) {
        if let answer = answers.removeValue(forKey: id) { bytes -= answer.bytes }
    }

    private func fits(_ bytes: Int) -> Bool { answers.isEmpty || self.bytes + bytes <= maximumBytes }
}
