import CommonServer
import Glibc
import NIOCore

/// Decides which way bytes go to one socket. Confined to the socket's event loop.
///
/// Nearly every frame is taken by the kernel at once, and then NIO's way to that system call (pipeline, pending writes,
/// their bookkeeping) costs more than all else that a delivery needs. So a frame is offered to the kernel first. What it
/// does not take goes NIO's way, and while something waits there all that follows does too, which keeps the order.
///
/// Under TLS everything goes NIO's way.
///
/// It never calls into the pipeline: a `flush` that fails makes NIO read the socket and close it before it returns, and
/// both come back to the owner of this writer. The owner writes what it is told to, as the last thing that it does.
struct SocketWriter {
    /// Kept, since a context looks it up anew each time.
    private let channel: any Channel
    /// NIO's descriptor, which is open as long as the channel is active; `nil` where bytes must not pass the pipeline by.
    private let descriptor: CInt?
    /// Bytes that TLS keeps until the flush that encrypts them, out of sight of the channel's watermark.
    private var unencryptedBytes = 0
    /// The channel's watermark, which goes for these bytes, too; `nil` without TLS.
    private let maximumUnencryptedBytes: Int?
    /// Whether something may wait in NIO's queue, which is empty at first.
    private var mayBeQueued = false
    /// Whether nothing follows any more: a close frame was the last.
    private var isFinished = false
    /// All bytes that were ever queued or sent.
    private(set) var bytesWritten = 0

    init(_ channel: any Channel) {
        self.channel = channel
        let pipeline = channel.pipeline.syncOperations
        if pipeline.isEncrypted {
            descriptor = nil
            maximumUnencryptedBytes = (try? channel.syncOptions?.getOption(.writeBufferWaterMark).high) ?? 0
        } else {
            descriptor = try? pipeline.withUnsafeTransportIfAvailable(of: CInt.self) { $0 }
            maximumUnencryptedBytes = nil
        }
    }

    /// Whether less is queued than may be.
    var hasRoom: Bool {
        !mayBeQueued || channel.isWritable && unencryptedBytes <= maximumUnencryptedBytes ?? 0
    }

    /// Whether more may be sent now.
    var isWritable: Bool { !isFinished && hasRoom }

    var queuedBytes: Int {
        mayBeQueued ? ((try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0) + unencryptedBytes : 0
    }

    /// Counts bytes that the owner is about to write to the pipeline.
    /// - Returns: whether it may: nothing follows a close frame.
    mutating func willWrite(_ bytes: ByteBuffer) -> Bool {
        guard !isFinished else { return false }
        queue(bytes)
        return true
    }

    private mutating func queue(_ bytes: ByteBuffer) {
        bytesWritten += bytes.readableBytes
        mayBeQueued = true
        if maximumUnencryptedBytes != nil { unencryptedBytes += bytes.readableBytes }
    }

    /// Notes that the owner is about to flush the pipeline.
    mutating func willFlush() { unencryptedBytes = 0 }

    /// Nothing more is sent from here on.
    mutating func finish() { isFinished = true }

    /// Sends bytes to the kernel, as far as it takes them.
    /// - Returns: what the owner has to write to the pipeline and to flush; `nil` where nothing is left.
    mutating func send(_ bytes: ByteBuffer) -> ByteBuffer? {
        guard !isFinished else { return nil }
        if mayBeQueued, queuedBytes == 0 { mayBeQueued = false }
        let taken = mayBeQueued ? 0 : offer(bytes)
        bytesWritten += taken
        guard taken < bytes.readableBytes else { return nil }
        let rest = bytes.getSlice(at: bytes.readerIndex + taken, length: bytes.readableBytes - taken) ?? bytes
        queue(rest)
        willFlush()
        return rest
    }

    /// - Returns: how many bytes the kernel took. A socket that failed takes none; NIO finds out why.
    private func offer(_ bytes: ByteBuffer) -> Int {
        guard let descriptor, channel.isActive else { return 0 }
        let taken = bytes.withUnsafeReadableBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL))
        }
        return max(0, taken)
    }
}
