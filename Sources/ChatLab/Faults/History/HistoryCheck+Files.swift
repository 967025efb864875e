/// Checks of files: what messages name, and what was acknowledged, has the bytes that were sent; nothing else is kept.
extension HistoryCheck {
    mutating func check(_ files: History.Files, against logs: [String: [History.LogEntry]]) {
        let log = FileLog(logs)
        var uploads: [String: History.Upload] = [:]
        for upload in files.uploads {
            if case .acknowledged(let fileID, _) = upload.outcome { uploads[fileID] = upload }
        }
        let marks = Dictionary(files.uploads.map { ($0.mark, $0) }, uniquingKeysWith: { first, _ in first })
        let rows = Dictionary(files.rows.map { ($0.fileID, $0.mark) }, uniquingKeysWith: { first, _ in first })
        for fileID in Set(files.readings.keys).union(log.names.keys).union(uploads.keys).sorted() {
            guard let upload = uploads[fileID] ?? rows[fileID].flatMap({ marks[$0] }) else {
                note(.foreign, "the file \(fileID) was uploaded by no client")
                continue
            }
            check(upload, fileID, files.readings[fileID] ?? .missing("not read"), log)
        }
        for (mark, same) in Dictionary(grouping: files.rows, by: \.mark) where same.count > 1 {
            note(.doubled, "the upload \(mark) is \(same.count) files", count: same.count - 1)
        }
        // A database that was set back knows nothing of what was stored since.
        guard logLoss == nil else { return }
        for leftover in files.leftovers { note(.leftover, leftover) }
    }

    private mutating func check(
        _ upload: History.Upload, _ fileID: String, _ reading: History.FileReading, _ log: FileLog
    ) {
        let isNamed = log.names[fileID] != nil
        if let names = log.names[fileID], names != [upload.mark] {
            note(.foreign, "the file \(upload.mark) is named by \(names)")
        }
        if let named = log.fileOfMessage[upload.mark], named != fileID {
            note(.foreign, "the message \(upload.mark) names another file than its own: \(named ?? "none")")
        }
        switch reading {
        case .bytes(let sha256):
            if sha256 != upload.sha256 {
                note(.foreign, "the file \(upload.mark) does not have the bytes that were sent")
            } else if isDeleted(upload, log), !isNamed {
                note(.leftover, "the file \(upload.mark) is there, although it was deleted")
            }
        case .missing(let answer):
            if isNamed {
                note(.lost, "a message names the file \(upload.mark), whose bytes are not there: \(answer)")
            } else if !mayBeGone(upload, log) {
                let what = upload.fileID == nil ? "which has a row" : "acknowledged"
                note(.lost, "the file \(upload.mark), \(what), is not there: \(answer)")
            }
        }
    }

    /// Whether it was said to be deleted: itself, or the message that named it.
    private func isDeleted(_ upload: History.Upload, _ log: FileLog) -> Bool {
        upload.deletion == .acknowledged || log.deletedMarks.contains(upload.mark)
    }

    private func mayBeGone(_ upload: History.Upload, _ log: FileLog) -> Bool {
        if isDeleted(upload, log) || upload.deletion == .asked { return true }
        if case .acknowledged(_, let time) = upload.outcome { return isLostByPostgres(at: time) }
        return false
    }
}

/// What logs say of files.
private struct FileLog {
    /// The marks of the messages that name a file, by its id.
    private(set) var names: [String: [String]] = [:]
    /// The file that a message names, by the message's mark, unless it is deleted.
    private(set) var fileOfMessage: [String: String?] = [:]
    /// The marks of deleted messages.
    private(set) var deletedMarks: Set<String> = []

    init(_ logs: [String: [History.LogEntry]]) {
        for log in logs.values {
            let deleted = Set(
                log.lazy.filter { $0.identity.kind == History.deletionKind }.compactMap(\.identity.messageID))
            for entry in log where entry.identity.kind == History.messageKind {
                if let fileID = entry.fileID { names[fileID, default: []].append(entry.mark ?? "") }
                guard let mark = entry.mark else { continue }
                if let messageID = entry.identity.messageID, deleted.contains(messageID) {
                    deletedMarks.insert(mark)
                } else {
                    fileOfMessage.updateValue(entry.fileID, forKey: mark)
                }
            }
        }
    }
}

extension History.Upload {
    /// The id that was acknowledged.
    var fileID: String? {
        if case .acknowledged(let fileID, _) = outcome { fileID } else { nil }
    }
}
