/// `X-Request-Id`: names one request in the logs of several programs.
public enum RequestID {
    /// The client's id where it is 1–128 visible ASCII characters: it goes into headers and logs.
    public static func accepted(_ id: String?) -> String? {
        guard let id, (1...128).contains(id.utf8.count), id.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        return id
    }
}
