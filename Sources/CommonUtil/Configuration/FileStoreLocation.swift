/// Where the bytes of files are kept (`CHAT_FILE_STORE`).
public enum FileStoreLocation: Equatable, Sendable {
    /// A folder, which all message servers of an installation share.
    case folder(String)
    /// There are no files.
    case none

    /// The requirement on a location, for error messages.
    static let rule = "folder:PATH, or none for no files"

    private static let folderScheme = "folder:"

    /// Reads a location.
    /// - Returns: `nil` where the text does not meet ``rule``.
    public init?(text: String) {
        if text == "none" {
            self = .none
        } else if text.hasPrefix(Self.folderScheme), text.utf8.count > Self.folderScheme.utf8.count,
            !text.utf8.contains(0)
        {
            self = .folder(String(text.dropFirst(Self.folderScheme.count)))
        } else {
            return nil
        }
    }
}
