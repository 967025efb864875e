import CommonServer
import Glibc
import NIOCore

/// The way of bytes to one socket. Confined to the socket's event loop.
///
/// Nearly every frame is taken by the kernel at once, and then NIO's way to that system call (pipeline, pending writes,
/// their bookkeeping) costs more than all else that a delivery needs. So a frame is offered to the kernel first. What it
/// does not take goes NIO's way, and while something waits there all that follows does too, which keeps the order.
///
/// Under TLS everything goes NIO's way.
struct SocketWriter {
    private let context: ChannelHandlerContext
    /// Kept, since the context looks it up anew each time.
    private let channel: any Channel
    /// NIO's descriptor, which is open as long as the channel is active; `nil` where bytes must not pass the pipeline by.
    private let descriptor: CInt?
    /// Bytes that TLS keeps until the flush that encrypts them, out of sight of the channel's watermark.
    private var unencryptedBytes = 0
    /// The channel's watermark, which goes for these bytes, too; `nil` without TLS.
    private let maximumUnencryptedBytes: Int?
    /// Whether something may wait in NIO's queue, which is empty at first.
    private var mayBeQueued = false
    /// All bytes that were ever queued or sent.
    private(set) var bytesWritten = 0

    init(context: ChannelHandlerContext) {
        self.context = context
        channel = context.channel
        let pipeline = context.pipeline.syncOperations
        if pipeline.isEncrypted {
            descriptor = nil
            maximumUnencryptedBytes = (try? channel.syncOptions?.getOption(.writeBufferWaterMark).high) ?? 0
        } else {
            descriptor = try? pipeline.withUnsafeTransportIfAvailable(of: CInt.self) { $0 }
            maximumUnencryptedBytes = nil
        }
    }

    /// Whether less is queued than may be.
    var isWritable: Bool {
        !mayBeQueued || channel.isWritable && unencryptedBytes <= maximumUnencryptedBytes ?? 0
    }

    var queuedBytes: Int {
        mayBeQueued ? ((try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0) + unencryptedBytes : 0
    }

    /// Queues bytes until ``flush()``, to be sent with those that follow by one system call.
    mutating func write(_ bytes: ByteBuffer) {
        bytesWritten += bytes.readableBytes
        mayBeQueued = true
        if maximumUnencryptedBytes != nil { unencryptedBytes += bytes.readableBytes }
        context.write(NIOAny(bytes), promise: nil)
    }

    /// Says that all that was written is now flushed, which is the caller's to do: it may call back into this socket,
    /// and must not while the writer is being changed.
    mutating func willFlush() { unencryptedBytes = 0 }

    /// Sends bytes now, as far as the socket takes them.
    mutating func send(_ bytes: ByteBuffer) {
        if mayBeQueued, queuedBytes == 0 { mayBeQueued = false }
        let taken = mayBeQueued ? 0 : offer(bytes)
        bytesWritten += taken
        guard taken < bytes.readableBytes else { return }
        write(bytes.getSlice(at: bytes.readerIndex + taken, length: bytes.readableBytes - taken) ?? bytes)
        willFlush()
        context.flush()
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
