/// The server's response to the upload of a file that it has stored.
struct UploadedFile: Sendable, Equatable {
    let fileID: String
    let mimeType: String

    init?(json: JSONObject?) {
        guard let fileID = json?["fileId"]?.string else { return nil }
        self.fileID = fileID
        mimeType = json?["mimeType"]?.string ?? ""
    }

    /// The type of message that shows it.
    var messageType: String {
        let type = mimeType.prefix { $0 != "/" }
        return ["image", "video", "audio"].first { $0 == type } ?? "file"
    }
}

/// Decides what follows each attempt of an upload. All attempts have one key, so that the file is stored once. Pure: no
/// I/O.
struct Upload: Sendable {
    enum Step: Sendable {
        case stored(UploadedFile)
        case retry(afterMilliseconds: Int64)
        case failed(ChatError)
    }

    private var backoff: RetryBackoff

    init(random: @escaping RandomSource) { backoff = RetryBackoff(random: random) }

    /// The server has responded.
    mutating func answered(_ response: ClientResponse) -> Step {
        let json = try? JSONParser.parse(response.body)
        guard (200..<300).contains(response.status) else { return failed(response.error(json)) }
        guard let file = UploadedFile(json: json?.object) else {
            // From a proxy in the server's place, or a response that was cut off.
            return failed(
                ChatError(.protocol, "The response is not a file", status: response.status, isTemporary: true))
        }
        return .stored(file)
    }

    /// There was no response, or one that refuses the file.
    mutating func failed(_ error: ChatError) -> Step {
        guard error.isTemporary || error.code == .uploadInProgress else { return .failed(error) }
        let asked = min(error.retryAfterMilliseconds ?? 0, RetryBackoff.longestAsked)
        return .retry(afterMilliseconds: max(backoff.next(), asked))
    }
}
