import ChatClient

/// What became of one line.
struct PostReport: Sendable, Equatable {
    enum Outcome: Sendable, Equatable {
        case stored(messageID: Int64, seq: Int64)
        /// - Parameter isCertain: whether it is known that nothing was stored.
        case refused(code: String, message: String, isCertain: Bool)
    }

    let number: Int
    let key: String?
    let outcome: Outcome

    /// For programs.
    var json: String {
        var line: JSONObject = ["line": .number(String(number))]
        if let key { line["key"] = .string(key) }
        switch outcome {
        case .stored(let messageID, let seq):
            line["state"] = "stored"
            line["messageId"] = .number(String(messageID))
            line["seq"] = .number(String(seq))
        case .refused(let code, let message, let isCertain):
            line["state"] = "refused"
            line["code"] = .string(code)
            line["message"] = .string(message)
            if !isCertain { line["isCertain"] = false }
        }
        return TerminalText.cleanJSON(JSONValue.object(line).text)
    }

    /// For people, where it was refused.
    var complaint: String? {
        guard case .refused(let code, let message, let isCertain) = outcome else { return nil }
        let doubt = isCertain ? "" : " (it may be stored: an earlier answer was lost)"
        return "chat: line \(number): " + TerminalText.clean("\(code): \(message)") + doubt
    }
}
