import Glibc
import Synchronization

/// Where finished log lines go. A line is handed over whole and must come out whole.
public protocol LogOutput: Sendable {
    /// - Parameter line: UTF-8 with its line feed.
    func write(_ line: [UInt8])
}

/// A file descriptor of this process. Lines of several threads do not mix: `write(2)` is atomic on pipes only up to
/// `PIPE_BUF`, so a lock keeps longer ones together.
public final class FileDescriptorLogOutput: LogOutput {
    /// The usual place of a service's log; standard error is left for the one line that tells why a process ends.
    public static let standardOutput = FileDescriptorLogOutput(STDOUT_FILENO)
    public static let standardError = FileDescriptorLogOutput(STDERR_FILENO)

    private let descriptor: Int32
    private let lock = Mutex(())

    public init(_ descriptor: Int32) { self.descriptor = descriptor }

    public func write(_ line: [UInt8]) {
        lock.withLock { _ in
            var rest = line[...]
            while !rest.isEmpty {
                let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if written > 0 {
                    rest = rest.dropFirst(written)
                } else if errno != EINTR {
                    // A log that cannot be written has nobody left to tell.
                    return
                }
            }
        }
    }
}
