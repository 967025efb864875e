import Glibc
import NIOCore
import NIOSSL

extension Channel {
    /// Bytes that the peer has not taken yet: NIO's, and if there are any the kernel's, too. To be asked on the event
    /// loop.
    var queuedBytes: Int {
        let queued = (try? syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard queued > 0 else { return 0 }
        let inKernel = try? pipeline.syncOperations.withUnsafeTransportIfAvailable(of: CInt.self) { descriptor in
            var bytes: CInt = 0
            return ioctl(descriptor, UInt(TIOCOUTQ), &bytes) == 0 ? Int(bytes) : 0
        }
        return queued + (inKernel ?? 0)
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// Closes the channel at once: without what waits to be sent, and without the farewell of TLS, which waits for the
    /// peer's.
    func abort() {
        if let tls = try? context(handlerType: NIOSSLServerHandler.self) {
            tls.close(promise: nil)
        } else {
            close(promise: nil)
        }
    }
}
