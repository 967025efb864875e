import CommonUtil
import NIOCore
import S3Client

/// A store in a bucket of an S3-compatible server, which all message servers of an installation share.
///
/// A file is the object `files/KEY`; the marker is the object `installation`.
public struct S3FileStore: FileStore {
    private static let prefix = "files/"
    private static let marker = "installation"
    private static let maximumMarkerBytes = 256

    private let client: S3Client

    /// - Parameter client: of the bucket.
    public init(_ client: S3Client) { self.client = client }

    private func object(_ key: String) -> String { Self.prefix + key }

    // MARK: Files

    public func put(_ key: String, from path: String, size: Int) async throws(FileStoreError) {
        do { try await client.put(object(key), fileAt: path, size: size) } catch { throw FileStoreError(error) }
    }

    public func read(_ key: String, range: Range<Int>) async throws(FileStoreError) -> FileBytes {
        do {
            return S3FileBytes(bytes: try await client.bytes(of: object(key), in: range))
        } catch {
            throw FileStoreError(error)
        }
    }

    public func remove(_ key: String) async throws(FileStoreError) {
        do { try await client.remove(object(key)) } catch { throw FileStoreError(error) }
    }

    public func size(of key: String) async throws(FileStoreError) -> Int? {
        do { return try await client.size(of: object(key)) } catch { throw FileStoreError(error) }
    }

    public func list(after key: String?) async throws(FileStoreError) -> [StoredFile] {
        var last = key.map(object)
        while true {
            let page: S3Page
            do { page = try await client.list(prefix: Self.prefix, after: last) } catch { throw FileStoreError(error) }
            // What others have put there is not this server's to look after.
            let files = page.objects.compactMap { object in
                Self.key(object.key).map { StoredFile(key: $0, size: object.size, modifiedAt: object.modifiedAt) }
            }
            guard files.isEmpty, page.isTruncated, let end = page.objects.last?.key else { return files }
            last = end
        }
    }

    /// The key of a file's object.
    private static func key(_ object: String) -> String? {
        guard object.hasPrefix(prefix) else { return nil }
        return FileID(object.dropFirst(prefix.count))?.rawValue
    }

    // MARK: The marker

    public func installation() async throws(FileStoreError) -> String? {
        do {
            let bytes = try await client.contents(of: Self.marker, upTo: Self.maximumMarkerBytes)
            return bytes.map { String(decoding: $0, as: UTF8.self) }
        } catch {
            throw FileStoreError(error)
        }
    }

    public func claim(_ installation: String) async throws(FileStoreError) {
        do {
            try await client.putIfAbsent(Self.marker, Array(installation.utf8))
        } catch .exists {
            // Another server was faster.
        } catch {
            throw FileStoreError(error)
        }
    }

    public func abortUnfinished(olderThan age: Duration) async throws(FileStoreError) {
        let begin = Timestamp(microseconds: Timestamp.now.microseconds - age.components.seconds * 1_000_000)
        do {
            try await client.abortUploads(prefix: Self.prefix, startedBefore: begin)
        } catch {
            throw FileStoreError(error)
        }
    }
}

extension FileStoreError {
    fileprivate init(_ error: S3Error) {
        switch error {
        case .notFound: self = .notFound
        case .full: self = .full
        case .exists, .refused, .unavailable, .unreadableFile, .invalidConfiguration, .cancelled:
            self = .away(error.description)
        }
    }
}

/// The bytes of an object, with the errors of a store.
private struct S3FileBytes: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let bytes: S3ObjectBytes

    func makeAsyncIterator() -> Iterator { Iterator(bytes: bytes.makeAsyncIterator()) }

    struct Iterator: AsyncIteratorProtocol {
        var bytes: S3ObjectBytes.Iterator

        mutating func next() async throws -> ByteBuffer? {
            do {
                return try await bytes.next()
            } catch let error as S3Error {
                throw FileStoreError(error)
            }
        }
    }
}
