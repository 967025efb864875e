import Foundation

/// One line of a server's log, in either of its formats.
struct LogLine {
    /// The line as a person reads it, if its level is warning or above.
    let warning: String?

    private struct Fields: Decodable {
        var level: String
        var message: String
        var metadata: [String: Value]?
    }

    /// What is no text, number or truth value is left out: the log file has it all.
    private struct Value: Decodable {
        var text: String?

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let text = try? value.decode(String.self) {
                self.text = text
            } else if let flag = try? value.decode(Bool.self) {
                text = "\(flag)"
            } else if let number = try? value.decode(Int64.self) {
                text = "\(number)"
            } else if let number = try? value.decode(Double.self) {
                text = "\(number)"
            }
        }
    }

    /// While a server starts it is asked again and again whether it is ready, and says no.
    private static func isOwnProbe(_ message: Substring) -> Bool { message.hasPrefix("GET /health/ready 503") }

    private static let shown: Set<String> = ["warning", "error", "critical"]

    init?(_ line: String) {
        guard !line.isEmpty else { return nil }
        if line.hasPrefix("{") {
            guard let fields = try? JSONDecoder().decode(Fields.self, from: Data(line.utf8)) else { return nil }
            let details = (fields.metadata ?? [:]).compactMapValues(\.text).sorted { $0.key < $1.key }
                .map { " \($0)=\($1)" }.joined()
            let isShown = Self.shown.contains(fields.level) && !Self.isOwnProbe(fields.message[...])
            warning = isShown ? "\(fields.level): \(fields.message)\(details)" : nil
            return
        }
        // TIME LEVEL logger: message
        let words = line.split(separator: " ", maxSplits: 2)
        let isShown =
            words.count == 3 && Self.shown.contains(words[1].lowercased())
            && !Self.isOwnProbe(words[2].drop { $0 != " " }.dropFirst())
        warning = isShown ? "\(words[1].lowercased()): \(words[2])" : nil
    }
}
