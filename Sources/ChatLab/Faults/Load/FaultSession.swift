import Glibc
import NIOCore

/// A client with a connection to a WebSocket server that faults can be done to. Confined to its event loop.
protocol FaultSession: AnyObject {
    /// Ends the connection without a close frame, as a lost network does.
    func cut()
    /// Resets the connection with unread bytes under way.
    /// - Returns: succeeds when the connection is gone, whatever came of it.
    func reset() -> EventLoopFuture<Void>
    /// Stops reading, with a small receive buffer.
    func stall() -> EventLoopFuture<Void>
    /// Reads on after ``stall()``.
    func goOn()
}

extension Channel {
    private static var framesBeforeReset: Int { 20 }

    /// Sends frames that are answered and resets the connection without reading the answers, as a browser does whose tab
    /// is closed. The server learns of it in the middle of a write.
    /// - Parameter sendsFrames: false where the peer takes no frames.
    func resetWithAnswersUnderWay(sendsFrames: Bool = true) -> EventLoopFuture<Void> {
        let frames = [
            (ReceivedFrame.ping, "ping"), (ReceivedFrame.text, #"{"type":"ping"}"#),
            (ReceivedFrame.text, "nonsense"),
        ].map { ReceivedFrameReader.clientFrame($0, ByteBuffer(string: $1)) }
        for _ in 1...Self.framesBeforeReset where sendsFrames {
            for frame in frames { write(frame, promise: nil) }
        }
        // With this the kernel sends RST instead of FIN (socket(7), SO_LINGER).
        let willReset = (self as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        return (willReset ?? eventLoop.makeSucceededVoidFuture()).flatMap {
            self.flush()
            return self.close()
        }.flatMapErrorThrowing { _ in }
    }

    func stopReading() -> EventLoopFuture<Void> {
        setOption(.socketOption(.so_rcvbuf), value: 64 * 1024).flatMap {
            self.setOption(.autoRead, value: false)
        }
    }

    func readOn() {
        setOption(.autoRead, value: true).whenSuccess { self.read() }
    }
}
