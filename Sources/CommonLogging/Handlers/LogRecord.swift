import CommonUtil
import Logging

/// A log line before it is text. Long values are truncated, so that a request cannot write a line of any size.
struct LogRecord {
    static let maximumMessageBytes = 8 * 1_024
    static let maximumValueBytes = 2 * 1_024
    static let maximumLineBytes = 16 * 1_024
    private static let maximumDepth = 4

    var time: Timestamp
    var level: Logger.Level
    var service: String
    var label: String
    var message: String
    var metadata: Logger.Metadata

    /// The bytes of the line in a format, with the line feed.
    func line(format: LogFormat) -> [UInt8] {
        var bytes =
            switch format {
            case .json: json
            case .text: text
            }
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    // MARK: JSON

    private var json: [UInt8] {
        var writer = JSONWriter(capacity: 512)
        writer.object { writer in
            writer.member("time", time)
            writer.member("level", level.rawValue)
            writer.member("service", service)
            writer.member("logger", label)
            writer.member("message", Self.cut(message, Self.maximumMessageBytes))
            guard !metadata.isEmpty else { return }
            writer.key("metadata")
            Self.write(metadata, to: &writer, depth: 0)
        }
        return writer.bytes
    }

    private static func write(_ metadata: Logger.Metadata, to writer: inout JSONWriter, depth: Int) {
        writer.object { writer in
            for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
                guard writer.bytes.count < maximumLineBytes else { return writer.member("cut", true) }
                writer.key(JSONKey(cut(key, 256)))
                if SecretRedactor.isSecret(key: key) {
                    writer.string(SecretRedactor.mask)
                } else {
                    write(value, to: &writer, depth: depth + 1)
                }
            }
        }
    }

    private static func write(_ value: Logger.MetadataValue, to writer: inout JSONWriter, depth: Int) {
        switch value {
        case .string(let text): writer.string(cut(text, maximumValueBytes))
        case .stringConvertible(let value): write(value, to: &writer)
        case .dictionary(let members) where depth < maximumDepth: write(members, to: &writer, depth: depth)
        case .array(let elements) where depth < maximumDepth:
            writer.array(elements.prefix(64)) { writer, element in
                if writer.bytes.count < maximumLineBytes { write(element, to: &writer, depth: depth + 1) }
            }
        case .dictionary, .array: writer.string("…")
        }
    }

    /// Writes numbers and booleans as such, so that a log store can compare them, and other values as text.
    private static func write(_ value: any CustomStringConvertible, to writer: inout JSONWriter) {
        switch value {
        case let flag as Bool: writer.bool(flag)
        case let number as any BinaryInteger: writer.raw("\(number)".utf8)
        case let number as Double where number.isFinite: writer.raw("\(number)".utf8)
        default: writer.string(cut(value.description, maximumValueBytes))
        }
    }

    // MARK: Text

    private var text: [UInt8] {
        var line = "\(time) \(level.rawValue.uppercased()) \(label): "
        line += Self.onOneLine(Self.cut(message, Self.maximumMessageBytes))
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            guard line.utf8.count < Self.maximumLineBytes else {
                line += " cut=true"
                break
            }
            let shown = SecretRedactor.isSecret(key: key) ? SecretRedactor.mask : Self.shown(value, depth: 0)
            line += " \(Self.cut(key, 256))=\(Self.quoted(Self.cut(shown, Self.maximumValueBytes)))"
        }
        return Array(line.utf8)
    }

    private static func shown(_ value: Logger.MetadataValue, depth: Int) -> String {
        guard depth < maximumDepth else { return "…" }
        switch value {
        case .string(let text): return text
        case .stringConvertible(let value): return value.description
        case .array(let elements):
            return "[" + elements.prefix(64).map { shown($0, depth: depth + 1) }.joined(separator: ", ") + "]"
        case .dictionary(let members):
            let pairs = members.sorted { $0.key < $1.key }.prefix(64).map { key, value in
                "\(key): \(SecretRedactor.isSecret(key: key) ? SecretRedactor.mask : shown(value, depth: depth + 1))"
            }
            return "{" + pairs.joined(separator: ", ") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "=" }
        guard !isPlain else { return text }
        var writer = JSONWriter(capacity: text.utf8.count + 2)
        writer.string(text)
        return writer.text
    }

    /// A line feed in a message must not look like the start of another line.
    private static func onOneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 }) else { return text }
        return text.unicodeScalars.map { $0.value < 0x20 ? $0.escaped(asASCII: true) : String($0) }.joined()
    }

    private static func cut(_ text: String, _ maximumBytes: Int) -> String {
        guard text.utf8.count > maximumBytes else { return text }
        return String(decoding: text.utf8.prefix(maximumBytes), as: UTF8.self) + "…"
    }
}
