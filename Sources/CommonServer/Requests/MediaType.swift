/// The `Content-Type` of a request.
enum MediaType {
    private static let json = "application/json"

    /// `application/json`, in any case, with any parameters (RFC 9110 section 8.3.1).
    static func isJSON(_ contentType: String?) -> Bool {
        guard let contentType else { return false }
        guard let type = contentType.split(separator: ";", omittingEmptySubsequences: false).first else {
            return false
        }
        return type.lowercased().split(separator: " ") == [json[...]]
    }

    static func isJSON(_ head: RequestHead) -> Bool {
        // Nearly all clients write it so.
        head.isField("content-type", json) || isJSON(head["content-type"])
    }
}
