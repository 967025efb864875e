#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

import NIOCore
import NIOPosix

/// The bytes of an upload, read as they are sent: never more than a piece of a file is in memory.
struct UploadBody: Sendable {
    private enum Source: Sendable {
        case bytes([UInt8])
        case file(OpenFile)
    }

    private static let pieceBytes = 64 << 10

    /// The size in bytes.
    let size: Int64
    private let source: Source

    init(_ bytes: [UInt8]) {
        size = Int64(bytes.count)
        source = .bytes(bytes)
    }

    /// Opens a file.
    /// - Throws: ``ChatError`` with code `invalid` if it cannot be read or is not a regular file.
    init(path: String) async throws {
        let file = try await NIOThreadPool.singleton.runIfActive { try OpenFile(path) }
        size = file.size
        source = .file(file)
    }

    init(_ source: OutgoingFile.Source) async throws {
        switch source {
        case .bytes(let bytes): self.init(bytes)
        case .path(let path): try await self.init(path: path)
        }
    }

    /// The next bytes; `nil` at the end.
    /// - Throws: ``ChatError`` with code `invalid` if the file cannot be read, or has become shorter since it was
    ///   opened.
    func piece(at offset: Int64) async throws -> ByteBuffer? {
        let count = Int(min(Int64(Self.pieceBytes), size - offset))
        guard count > 0 else { return nil }
        switch source {
        case .bytes(let bytes): return ByteBuffer(bytes: bytes[Int(offset)..<Int(offset) + count])
        case .file(let file):
            // A file system may block for seconds, so not on the threads of Swift's tasks.
            return try await NIOThreadPool.singleton.runIfActive { try file.read(count, at: offset) }
        }
    }
}

/// A file that is open for reading. All calls block.
private final class OpenFile: Sendable {
    let size: Int64
    private let descriptor: Int32

    init(_ path: String) throws {
        // Without `O_NONBLOCK` a named pipe would be waited for.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.failure("open", errno) }
        self.descriptor = descriptor
        var status = stat()
        let code = fstat(descriptor, &status) == 0 ? 0 : errno
        size = Int64(status.st_size)
        guard code == 0 else { throw Self.failure("fstat", code) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw ChatError(.invalid, "Not a regular file") }
    }

    deinit { close(descriptor) }

    func read(_ count: Int, at offset: Int64) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            var done = 0
            while done < count {
                let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[done..<count])
                let read = pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
                if read < 0 {
                    guard errno == EINTR else { throw Self.failure("pread", errno) }
                } else if read == 0 {
                    throw ChatError(.invalid, "The file was truncated during the upload")
                } else {
                    done += read
                }
            }
            return done
        }
        return buffer
    }

    private static func failure(_ call: String, _ code: Int32) -> ChatError {
        let cause = FileSystem.Failure(call: call, code: code)
        return ChatError(.invalid, "The file cannot be read (\(cause))", cause: cause)
    }
}
