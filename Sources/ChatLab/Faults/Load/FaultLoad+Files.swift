import ChatLocalStack
import NIOCore

/// Uploads, as faults wait for them.
extension FaultLoad {
    /// A file at a moment of its life.
    struct UploadMoment: Sendable {
        /// The port of the server that has it.
        var server: Int
        /// Its place among the uploads.
        var upload: Int
        var moment: FaultUploader.Moment
    }

    /// Waits until any file is at this moment.
    /// - Throws: `LocalStackError` if none is in time.
    func waitForUpload(at moment: FaultUploader.Moment, within time: Duration) async throws -> UploadMoment {
        let deadline = ContinuousClock.now + time
        while ContinuousClock.now < deadline {
            _ = try await wait(atMost: .seconds(5)) { $0.uploaders.contains { $0.moment == moment } }
            // It may have passed on its way to this thread.
            let found = try await onBoard { board in
                board.uploaders.first { $0.moment == moment }.map {
                    UploadMoment(server: $0.server, upload: $0.upload, moment: moment)
                }
            }
            if let found { return found }
        }
        throw LocalStackError("No upload was \(moment) within \(time)")
    }

    /// Whether the file is still at the same moment.
    func isStill(_ moment: UploadMoment) async throws -> Bool {
        try await onBoard { board in
            board.uploaders.contains { $0.upload == moment.upload && $0.moment == moment.moment }
        }
    }

    /// Whether the file had not got beyond its moment at this time.
    func wasStill(_ moment: UploadMoment, at time: UInt64) async throws -> Bool {
        try await onBoard { board in
            let upload = board.uploads[moment.upload]
            switch moment.moment {
            case .sending, .sent:
                guard case .acknowledged(_, let answered) = upload.outcome else { return true }
                return answered > time
            case .stored:
                guard let answer = board.posts.last(where: { $0.mark == upload.mark })?.acknowledgement else {
                    return true
                }
                return answer.at > time
            }
        }
    }

    /// Waits until so many more files are stored.
    /// - Throws: `LocalStackError` if they are not in time.
    func waitForStoredFiles(_ count: Int, within time: Duration) async throws {
        let before = try await evidence.uploadsStored
        guard try await wait(atMost: time, until: { $0.evidence.uploadsStored >= before + count }) else {
            throw LocalStackError("Not \(count) more files were stored within \(time)")
        }
    }

    /// Uploads that have no answer right now.
    var uploadsUnderWay: Int {
        get async throws { try await onBoard { $0.uploaders.count { [.sending, .sent].contains($0.moment) } } }
    }

    var uploads: [History.Upload] {
        get async throws { try await onBoard { $0.uploads } }
    }
}
