/// Files, as their uploaders and the readers at the end of a run saw them.
extension History {
    /// A file that a client wanted to upload, in one attempt or several.
    struct Upload: Sendable {
        enum Outcome: Sendable, Equatable {
            /// No answer that says what became of it.
            case unknown
            case acknowledged(fileID: String, at: UInt64)
        }

        enum Deletion: Sendable {
            case none
            /// Without an answer it may have been carried out or not.
            case asked
            case acknowledged
        }

        /// The name of the file, which no other has. The message that names it has the same mark.
        var mark: String
        var room: String
        /// In bytes.
        var size: Int
        var sha256: String
        var outcome = Outcome.unknown
        var deletion = Deletion.none
    }

    /// A row of a file in the database.
    struct FileRow: Sendable, Equatable {
        var fileID: String
        /// The name of the file.
        var mark: String
    }

    /// What a server gave for a file.
    enum FileReading: Sendable, Equatable {
        case bytes(sha256: String)
        /// Another answer, or none that is whole.
        case missing(String)
    }

    struct Files: Sendable {
        var uploads: [Upload]
        /// By the id of the file, for each that was acknowledged, is named by a message or has a row.
        var readings: [String: FileReading]
        var rows: [FileRow]
        /// What is in the store without a row, or in the spool while nobody uploads.
        var leftovers: [String] = []
    }

    /// How many files were acknowledged.
    var filesStored: Int {
        files?.uploads.count { if case .acknowledged = $0.outcome { true } else { false } } ?? 0
    }

    /// How many messages of the logs name a file.
    var filesNamed: Int {
        logs.values.reduce(0) { $0 + $1.count { $0.identity.kind == Self.messageKind && $0.fileID != nil } }
    }
}
