import CommonServer
import Glibc
import NIOCore

/// Decides how bytes are sent to one socket: by `send(2)` directly, or through the channel's pipeline. Confined to the
/// socket's event loop.
///
/// The kernel takes nearly every frame at once, and then NIO's path to that system call (pipeline, pending writes and their
/// accounting) costs more than the rest of a delivery. So a frame is offered to the kernel first. What it does not take goes
/// through the pipeline, and while something is pending there all that follows does too, which keeps the order. Under TLS
/// everything goes through the pipeline.
///
/// Frames that are only written are held until the flush, so that the kernel is offered all of them at once.
///
/// The writer never calls into the pipeline: a `flush` that fails makes NIO read the socket and close it before it returns,
/// and both call back to the owner of this writer. The owner writes what the writer returns, as its last action.
struct SocketWriter {
    /// Bytes that may be queued for a session. Above them it is fed from the log as the client reads.
    static let watermark = ChannelOptions.Types.WriteBufferWaterMark(low: 64 * 1_024, high: 256 * 1_024)
    /// Bound on the bytes that are held for the flush, as several frames are copied to be one. What does not fit goes through the
    /// pipeline, which takes references: a large frame of many sessions is in memory once.
    static let maximumHeldBytes = 16 * 1_024

    // Stored, since a context looks it up each time.
    private let channel: any Channel
    /// NIO's descriptor, which is open as long as the channel is active; `nil` if bytes must not bypass the pipeline.
    private let descriptor: CInt?
    /// Bytes that TLS holds until the flush that encrypts them; the channel's watermark does not count them.
    private var unencryptedBytes = 0
    /// Bound on these bytes, the channel's high watermark; `nil` without TLS.
    private let maximumUnencryptedBytes: Int?
    /// Whether something may be pending in the pipeline.
    private var mayBeQueued: Bool
    /// What was written since the last flush. While there is something, nothing is pending in the pipeline.
    private var held: ByteBuffer?
    /// Whether nothing more is sent: a close frame was the last.
    private var isFinished = false
    /// Total of bytes that were queued or sent.
    private(set) var bytesWritten = 0

    /// - Parameters:
    ///   - descriptor: NIO's descriptor of the channel, if the caller has it: to ask NIO takes 13,700 instructions.
    ///   - mayBeQueued: whether something was written to the pipeline before.
    init(_ channel: any Channel, descriptor: CInt? = nil, mayBeQueued: Bool = false) {
        self.channel = channel
        self.mayBeQueued = mayBeQueued
        let pipeline = channel.pipeline.syncOperations
        if pipeline.isEncrypted {
            self.descriptor = nil
            maximumUnencryptedBytes = (try? channel.syncOptions?.getOption(.writeBufferWaterMark).high) ?? 0
        } else {
            self.descriptor = descriptor ?? channel.descriptor
            maximumUnencryptedBytes = nil
        }
    }

    /// Whether less than the watermark is queued.
    var hasRoom: Bool {
        !mayBeQueued || channel.isWritable && unencryptedBytes <= maximumUnencryptedBytes ?? 0
    }

    /// Whether more may be sent at present.
    var isWritable: Bool { !isFinished && hasRoom }

    private var heldBytes: Int { held?.readableBytes ?? 0 }

    /// Bytes that the socket did not take yet. What is held was not offered to it.
    var queuedBytes: Int {
        mayBeQueued ? ((try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0) + unencryptedBytes : 0
    }

    /// Makes way for bytes that do not fit behind what is held. To be called before each ``write(_:)``.
    /// - Returns: what the owner has to write to the pipeline first; `nil` if nothing.
    mutating func makeWay(for bytes: ByteBuffer) -> ByteBuffer? {
        guard heldBytes + bytes.readableBytes > Self.maximumHeldBytes, let held = held.take() else { return nil }
        queue(held)
        return held
    }

    /// Takes bytes that are to be sent with the next flush.
    /// - Returns: what the owner has to write to the pipeline now; `nil` if nothing.
    mutating func write(_ bytes: ByteBuffer) -> ByteBuffer? {
        guard !isFinished else { return nil }
        bytesWritten += bytes.readableBytes
        noteDrained()
        guard mayBeQueued || descriptor == nil || bytes.readableBytes > Self.maximumHeldBytes else {
            hold(bytes)
            return nil
        }
        queue(bytes)
        return bytes
    }

    /// Sends what was written to the kernel, as far as it takes it.
    /// - Returns: what the owner has to do with the pipeline.
    mutating func flush() -> Flush {
        guard !isFinished else { return .nothing }
        if let bytes = held.take() { return sendNow(bytes).map { .writeAndFlush($0) } ?? .nothing }
        unencryptedBytes = 0
        return mayBeQueued ? .flush : .nothing
    }

    /// What is left to do with the pipeline.
    enum Flush: Equatable {
        case nothing
        case flush
        case writeAndFlush(ByteBuffer)
    }

    /// Sends nothing more from here on.
    mutating func finish() {
        isFinished = true
        held = nil
    }

    /// Sends bytes to the kernel after what was written, as far as it takes them.
    /// - Returns: the rest, which the owner has to write to the pipeline and to flush; `nil` if nothing is left.
    mutating func send(_ bytes: ByteBuffer) -> ByteBuffer? {
        guard !isFinished else { return nil }
        bytesWritten += bytes.readableBytes
        noteDrained()
        guard held != nil else { return sendNow(bytes) }
        hold(bytes)
        return held.take().flatMap { sendNow($0) }
    }

    private mutating func noteDrained() {
        if mayBeQueued, queuedBytes == 0 { mayBeQueued = false }
    }

    private mutating func sendNow(_ bytes: ByteBuffer) -> ByteBuffer? {
        let taken = mayBeQueued ? 0 : offer(bytes)
        guard taken < bytes.readableBytes else { return nil }
        let rest = bytes.getSlice(at: bytes.readerIndex + taken, length: bytes.readableBytes - taken) ?? bytes
        queue(rest)
        unencryptedBytes = 0
        return rest
    }

    private mutating func queue(_ bytes: ByteBuffer) {
        mayBeQueued = true
        if maximumUnencryptedBytes != nil { unencryptedBytes += bytes.readableBytes }
    }

    // In place, so that only the second frame of a turn makes a buffer; the first one is that of all its receivers.
    private mutating func hold(_ bytes: ByteBuffer) {
        if held?.writeImmutableBuffer(bytes) == nil { held = bytes }
    }

    /// Offers bytes to the kernel.
    /// - Returns: how many it took. A socket that failed takes none; NIO reports why.
    private func offer(_ bytes: ByteBuffer) -> Int {
        guard let descriptor, channel.isActive else { return 0 }
        let taken = bytes.withUnsafeReadableBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL))
        }
        return max(0, taken)
    }
}
