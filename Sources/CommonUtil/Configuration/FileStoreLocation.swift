/// Where the bytes of files are kept (`CHAT_FILE_STORE`).
public enum FileStoreLocation: Equatable, Sendable {
    /// A folder, which all message servers of an installation share.
    case folder(String)
    /// A bucket of an S3-compatible server, by its URL: `https://ENDPOINT/BUCKET?region=REGION`. It is read where the
    /// store is made.
    case s3(String)
    /// There are no files.
    case none

    /// The requirement on a location, for error messages.
    static let rule = "folder:PATH, s3:https://ENDPOINT/BUCKET?region=REGION, or none for no files"

    private static let folderScheme = "folder:"
    private static let s3Scheme = "s3:"

    /// Reads a location.
    /// - Returns: `nil` if the text does not meet ``rule``.
    public init?(text: String) {
        func rest(after scheme: String) -> String? {
            guard text.hasPrefix(scheme), text.utf8.count > scheme.utf8.count, !text.utf8.contains(0) else {
                return nil
            }
            return String(text.dropFirst(scheme.count))
        }
        if text == "none" {
            self = .none
        } else if let path = rest(after: Self.folderScheme) {
            self = .folder(path)
        } else if let url = rest(after: Self.s3Scheme) {
            self = .s3(url)
        } else {
            return nil
        }
    }
}
