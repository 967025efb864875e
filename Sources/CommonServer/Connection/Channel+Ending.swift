import Glibc
import NIOCore
import NIOSSL

extension Channel {
    /// Bytes that the peer has not taken yet: NIO's, and if there are any the kernel's, too. To be asked on the event
    /// loop.
    var queuedBytes: Int {
        let queued = (try? syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        return queued > 0 ? queued + bytesInKernel : 0
    }

    /// What the kernel has sent and the peer has not acknowledged, and what it has not sent.
    private var bytesInKernel: Int {
        let bytes = try? pipeline.syncOperations.withUnsafeTransportIfAvailable(of: CInt.self) { descriptor in
            var bytes: CInt = 0
            return ioctl(descriptor, UInt(TIOCOUTQ), &bytes) == 0 ? Int(bytes) : 0
        }
        return bytes ?? 0
    }

    /// Has the next `close` reset the connection, if the peer has not taken all: otherwise the kernel would keep what
    /// waits, and the peer would not hear of the end before it has read that.
    private func resetIfQueued() {
        guard queuedBytes > 0 || bytesInKernel > 0 else { return }
        try? pipeline.syncOperations.withUnsafeTransportIfAvailable(of: CInt.self) { descriptor in
            var value = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
        }
    }

    /// Closes the channel at once: without what waits to be sent, and without the farewell of TLS, which waits for the
    /// peer's. To be called on the event loop.
    func abort() {
        resetIfQueued()
        if let tls = try? pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self) {
            tls.close(promise: nil)
        } else {
            close(promise: nil)
        }
    }
}
