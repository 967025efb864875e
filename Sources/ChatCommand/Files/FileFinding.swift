import ChatFileStore
import ChatStorage
import CommonUtil

/// Something about the bytes of one file in which store and database differ.
struct FileFinding: Equatable, Sendable {
    /// What is wrong.
    enum Kind: String, CaseIterable, Sendable {
        /// The store has bytes of which the database knows no file.
        case unknown
        /// The database has a file whose bytes are not in the store.
        case missing
        /// The bytes in the store are more or fewer than they have to be.
        case wrongSize = "wrong_size"
        /// A thumbnail of a file that is not there.
        case orphan

        /// For people.
        var text: String {
            switch self {
            case .unknown: "no file has these bytes"
            case .missing: "the bytes are not in the store"
            case .wrongSize: "the bytes have another size"
            case .orphan: "the file of this thumbnail is not there"
            }
        }
    }

    let kind: Kind
    let key: String
    var isThumbnail = false
    /// In the store, in bytes.
    var storedSize: Int?
    /// By the database, in bytes.
    var expectedSize: Int?

    /// Judges one key, of which the database, the store or both know something.
    /// - Parameter time: what is younger and not known to the database is left alone.
    /// - Returns: `nil` if nothing is wrong.
    static func of(_ record: FileInventory.Record?, _ object: StoredFile?, unknownBefore time: Timestamp) -> Self? {
        guard let record, record.state != .removed else {
            guard let object, object.modifiedAt < time else { return nil }
            return FileFinding(kind: .unknown, key: object.key, storedSize: object.size)
        }
        guard record.state == .stored else { return nil }
        func finding(_ kind: Kind) -> Self {
            FileFinding(
                kind: kind, key: record.key.rawValue, isThumbnail: record.isThumbnail, storedSize: object?.size,
                expectedSize: record.size)
        }
        guard let object else { return finding(.missing) }
        if object.size != record.size { return finding(.wrongSize) }
        return record.isOrphan ? finding(.orphan) : nil
    }
}

extension FileFinding: JSONEncodable {
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("finding", kind.rawValue)
            writer.member("fileId", key)
            writer.member("thumbnail", isThumbnail)
            writer.member("storedSize", ifPresent: storedSize.map(Int64.init))
            writer.member("expectedSize", ifPresent: expectedSize.map(Int64.init))
        }
    }

    /// A line for people.
    var line: String {
        let sizes = [storedSize.map { "\($0) bytes in the store" }, expectedSize.map { "\($0) bytes expected" }]
        let label = isThumbnail ? "\(kind.rawValue), thumbnail" : kind.rawValue
        return ([key, label, kind.text] + sizes.compactMap { $0 }).joined(separator: "\t")
    }
}

/// What a comparison has found, in numbers.
struct FileCheckSummary: Equatable, Sendable, JSONEncodable {
    /// Files of the database whose bytes have to be there.
    var files = 0
    /// Their size in bytes.
    var fileBytes = 0
    /// Objects of the store.
    var objects = 0
    /// Their size in bytes.
    var objectBytes = 0
    private(set) var findings: [FileFinding.Kind: Int] = [:]
    /// The size of what is unknown, in bytes.
    private(set) var unknownBytes = 0
    /// Unknown objects that were removed.
    var deleted = 0

    /// Whether something is wrong, and has not been removed.
    var hasFindings: Bool { findings.values.reduce(0, +) > deleted }

    /// How many findings there are of a kind.
    func count(of kind: FileFinding.Kind) -> Int { findings[kind] ?? 0 }

    mutating func note(_ finding: FileFinding) {
        findings[finding.kind, default: 0] += 1
        if finding.kind == .unknown { unknownBytes += finding.storedSize ?? 0 }
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("files", Int64(files))
            writer.member("fileBytes", Int64(fileBytes))
            writer.member("objects", Int64(objects))
            writer.member("objectBytes", Int64(objectBytes))
            writer.key("findings")
            writer.object { writer in
                for kind in FileFinding.Kind.allCases { writer.member(kind.rawValue, Int64(count(of: kind))) }
            }
            writer.member("unknownBytes", Int64(unknownBytes))
            writer.member("deleted", Int64(deleted))
        }
    }

    /// Lines for people.
    var lines: [String] {
        var lines = ["\(files) files of \(fileBytes) bytes in the database, \(objects) of \(objectBytes) in the store"]
        for kind in FileFinding.Kind.allCases where count(of: kind) > 0 {
            lines.append("\(kind.rawValue): \(count(of: kind)) (\(kind.text))")
        }
        if deleted > 0 { lines.append("deleted: \(deleted)") }
        if findings.isEmpty { lines.append("Store and database agree.") }
        return lines
    }
}
