import Glibc
import NIOCore
import NIOSSL

extension Channel {
    /// NIO's descriptor, which is open as long as the channel is active; `nil` for a channel without one. Must be called on
    /// the event loop.
    public var descriptor: CInt? {
        try? pipeline.syncOperations.withUnsafeTransportIfAvailable(of: CInt.self) { $0 }
    }

    /// The number of bytes that wait to be sent: those in NIO and, if there are any, those in the kernel. Must be called on
    /// the event loop.
    var queuedBytes: Int {
        let queued = (try? syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        return queued > 0 ? queued + bytesInKernel : 0
    }

    /// The number of bytes in the kernel's send queue: not sent, or not acknowledged (`SIOCOUTQ`, `tcp(7)`).
    private var bytesInKernel: Int {
        guard let descriptor else { return 0 }
        var bytes: CInt = 0
        return ioctl(descriptor, UInt(TIOCOUTQ), &bytes) == 0 ? Int(bytes) : 0
    }

    /// Makes the next `close` reset the connection (`SO_LINGER`, `socket(7)`) if bytes are queued: otherwise the kernel keeps
    /// them, and the peer sees the end only after it has read them.
    private func resetIfQueued() {
        guard queuedBytes > 0 || bytesInKernel > 0 else { return }
        guard let descriptor else { return }
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    }

    /// Closes the channel at once: drops what waits to be sent, and does not exchange the `close_notify` of TLS, which would
    /// wait for the peer's. Must be called on the event loop.
    func abort() {
        resetIfQueued()
        if let tls = try? pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self) {
            tls.close(promise: nil)
        } else {
            close(promise: nil)
        }
    }
}
