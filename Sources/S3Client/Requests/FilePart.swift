import CommonUtil
import Crypto
import Glibc
import NIOCore
import NIOPosix

/// A local file, open for reading. Reads block, and have threads of their own.
final class LocalFile: Sendable {
    private let descriptor: CInt
    private let threads: NIOThreadPool

    /// - Throws: ``S3Error/unreadableFile``.
    init(path: String, threads: NIOThreadPool) async throws(S3Error) {
        do {
            descriptor = try await threads.runIfActive {
                let descriptor = open(path, O_RDONLY | O_CLOEXEC)
                guard descriptor >= 0 else { throw S3Error.unreadableFile }
                return descriptor
            }
        } catch {
            throw .unreadableFile
        }
        self.threads = threads
    }

    deinit { close(descriptor) }

    /// Reads up to `count` bytes, at least one.
    /// - Throws: ``S3Error/unreadableFile``, also at the end of the file.
    func read(at offset: Int, count: Int) async throws -> ByteBuffer {
        try await threads.runIfActive {
            var buffer = ByteBuffer()
            let length = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
                while true {
                    let length = pread(self.descriptor, bytes.baseAddress, count, off_t(offset))
                    if length >= 0 || errno != EINTR { return max(length, 0) }
                }
            }
            guard length > 0 else { throw S3Error.unreadableFile }
            return buffer
        }
    }
}

/// A part of a local file, read in pieces as they are asked for.
struct FilePart: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    static let pieceBytes = 128 * 1_024

    let file: LocalFile
    let range: Range<Int>

    func makeAsyncIterator() -> Iterator { Iterator(part: self, position: range.lowerBound) }

    /// The SHA-256 in hexadecimal digits.
    func hash() async throws(S3Error) -> String {
        var hash = SHA256()
        do {
            for try await piece in self {
                piece.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
            }
        } catch is CancellationError {
            throw .cancelled
        } catch {
            throw .unreadableFile
        }
        return Hexadecimal.encode(hash.finalize())
    }

    struct Iterator: AsyncIteratorProtocol {
        let part: FilePart
        var position: Int

        /// - Throws: ``S3Error/unreadableFile`` where the file is shorter than the part.
        mutating func next() async throws -> ByteBuffer? {
            guard position < part.range.upperBound else { return nil }
            let count = Swift.min(FilePart.pieceBytes, part.range.upperBound - position)
            let piece = try await part.file.read(at: position, count: count)
            position += piece.readableBytes
            return piece
        }
    }
}
