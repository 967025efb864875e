/// The `Content-Type` of a request.
enum MediaType {
    private static let json = "application/json"

    /// `application/json`, in any case, with any parameters (RFC 9110 section 8.3.1).
    static func isJSON(_ contentType: String?) -> Bool {
        guard let contentType else { return false }
        // Nearly all clients write it so.
        if contentType == json { return true }
        guard let type = contentType.split(separator: ";", omittingEmptySubsequences: false).first else {
            return false
        }
        return type.lowercased().split(separator: " ") == [json[...]]
    }
}
