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

    /// What is not a plain text is left out: the log file has it all.
    private struct Value: Decodable {
        var text: String?

        init(from decoder: any Decoder) throws {
            text = try? decoder.singleValueContainer().decode(String.self)
        }
    }

    private static let shown: Set<String> = ["warning", "error", "critical"]

    init?(_ line: String) {
        guard !line.isEmpty else { return nil }
        if line.hasPrefix("{") {
            guard let fields = try? JSONDecoder().decode(Fields.self, from: Data(line.utf8)) else { return nil }
            let details = (fields.metadata ?? [:]).compactMapValues(\.text).sorted { $0.key < $1.key }
                .map { " \($0)=\($1)" }.joined()
            warning = Self.shown.contains(fields.level) ? "\(fields.level): \(fields.message)\(details)" : nil
            return
        }
        // TIME LEVEL logger: message
        let words = line.split(separator: " ", maxSplits: 2)
        let isShown = words.count == 3 && Self.shown.contains(words[1].lowercased())
        warning = isShown ? "\(words[1].lowercased()): \(words[2])" : nil
    }
}
