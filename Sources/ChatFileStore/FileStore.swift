import CommonUtil
import NIOCore

/// The bytes of a file, read lazily: the next buffer is read when it is asked for. Buffers have at most 256 KiB.
public typealias FileBytes = any AsyncSequence<ByteBuffer, any Error> & Sendable

/// Keeps the bytes of files, each under a key of its own that is used once: what is stored under a key never changes.
///
/// Keys are 1–64 of `a–z 0–9`. No call blocks an event loop, and one that crosses a network has a deadline.
public protocol FileStore: Sendable {
    /// Stores a local file, which stays where it is. Returns when the bytes are on disk (`fsync`) or acknowledged. May be
    /// repeated for the same key and bytes.
    func put(_ key: String, from path: String, size: Int) async throws(FileStoreError)

    /// Opens a file for reading.
    /// - Parameter range: not empty, within the file.
    /// - Returns: exactly the bytes of the range; the sequence throws ``FileStoreError`` where it cannot give them all.
    func read(_ key: String, range: Range<Int>) async throws(FileStoreError) -> FileBytes

    /// Removes a file. One that is not there is no error.
    func remove(_ key: String) async throws(FileStoreError)

    /// The size of a file in bytes; `nil` if there is none.
    func size(of key: String) async throws(FileStoreError) -> Int?

    /// A page of the stored files, at most 1,000, in the order of their keys. The marker is none of them.
    func list(after key: String?) async throws(FileStoreError) -> [StoredFile]

    /// The text of the marker, which names the installation that the store belongs to; `nil` if there is none.
    func installation() async throws(FileStoreError) -> String?

    /// Writes the marker, where there is none. Of several servers that do so at once one succeeds; the caller reads the
    /// marker afterwards.
    func claim(_ installation: String) async throws(FileStoreError)

    /// Removes what uploads have left that were cut off: parts, temporary files.
    /// - Parameter age: younger ones can still be under way.
    func abortUnfinished(olderThan age: Duration) async throws(FileStoreError)
}

/// A file of a store, as its list shows it.
public struct StoredFile: Equatable, Sendable {
    /// The file's id, under which it was put.
    public let key: String
    /// In bytes.
    public let size: Int
    /// When its bytes were written: in a folder those of the upload, in a bucket by the clock of the store.
    public let modifiedAt: Timestamp

    /// Describes a file.
    public init(key: String, size: Int, modifiedAt: Timestamp) {
        self.key = key
        self.size = size
        self.modifiedAt = modifiedAt
    }
}

/// The ownership of a store, by its marker.
public enum FileStoreOwnership: Equatable, Sendable {
    case own
    /// It belongs to another installation, or has lost its marker; with a reason for logs.
    case foreign(String)
    /// It has no owner yet: neither the store nor the installation has any files.
    case unclaimed

    /// Judges a marker.
    /// - Parameter id: of the installation.
    public init(marker: String, of id: String) {
        self = marker == id ? .own : .foreign("its marker names another installation")
    }
}

extension FileStore {
    /// Reads whose the store is. Writes nothing.
    /// - Parameters:
    ///   - id: of the installation.
    ///   - hasFiles: whether the installation has files.
    public func ownership(by id: String, hasFiles: Bool) async throws(FileStoreError) -> FileStoreOwnership {
        if let marker = try await installation() { return FileStoreOwnership(marker: marker, of: id) }
        guard !hasFiles else { return .foreign("it has no marker, although there are files") }
        return try await list(after: nil).isEmpty ? .unclaimed : .foreign("it has files, and no marker")
    }
}

/// The failure of a call to a store.
public enum FileStoreError: Error, Equatable, Sendable {
    /// It does not respond, or refuses: to be tried again later. The reason is for logs and has no secrets.
    case away(String)
    /// It has no space left.
    case full
    /// There is no file under this key.
    case notFound
}

extension FileStoreError: CustomStringConvertible {
    /// The error for logs.
    public var description: String {
        switch self {
        case .away(let reason): reason
        case .full: "it has no space left"
        case .notFound: "there is no such file"
        }
    }
}
