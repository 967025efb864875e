/// Whose a store is, by its marker.
public enum FileStoreOwnership: Equatable, Sendable {
    case own
    /// Another installation's, or one that was there and is not any more; with a reason for logs.
    case foreign(String)
    /// Nobody's yet: neither the store nor the installation has any files.
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
