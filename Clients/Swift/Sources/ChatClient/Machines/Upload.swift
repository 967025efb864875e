/// What the server says of a file that it has stored.
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

/// Decides after each try of an upload what is next. All tries have one key, so that the file is stored once. Pure.
struct Upload: Sendable {
    enum Step: Sendable {
        case stored(UploadedFile)
        case again(afterMilliseconds: Int64)
        case failed(ChatError)
    }

    private var pauses: Pauses

    init(random: @escaping RandomSource) { pauses = Pauses(random: random) }

    /// The server has answered.
    mutating func answered(_ answer: HTTPAnswer) -> Step {
        let json = try? JSONParser.parse(answer.body)
        guard (200..<300).contains(answer.status) else { return failed(answer.error(json)) }
        guard let file = UploadedFile(json: json?.object) else {
            // A proxy that answers in the server's place, or an answer that was cut.
            return failed(ChatError(.protocol, "The response is not a file", status: answer.status, isTemporary: true))
        }
        return .stored(file)
    }

    /// There was no answer, or one that refuses the file.
    mutating func failed(_ error: ChatError) -> Step {
        guard error.isTemporary || error.code == .uploadInProgress else { return .failed(error) }
        let asked = min(error.retryAfterMilliseconds ?? 0, Pauses.longestAsked)
        return .again(afterMilliseconds: max(pauses.next(), asked))
    }
}
