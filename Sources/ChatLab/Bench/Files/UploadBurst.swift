import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore

/// Large uploads that all begin at once.
struct UploadBurst: Sendable {
    struct Outcome: Sendable {
        var fileIDs: [(fileID: String, userID: Int)] = []
        var seconds = 0.0
        var errors: [String: Int] = [:]
    }

    private struct File: Decodable { var fileId: String }

    /// Of one user at a time on one server, as the contract allows.
    private static let uploadsOfUser = 10
    private static let firstUserID = 100
    private static let clearTime = Duration.seconds(120)

    let port: Int
    let room: String
    let count: Int
    /// Of each, in bytes.
    let size: Int

    func run() async -> Outcome {
        let start = ContinuousClock.now
        return await withTaskGroup(of: (userID: Int, answer: FileTransfer.Answer?).self) { group in
            for number in 0..<count {
                let userID = Self.firstUserID + number / Self.uploadsOfUser
                let head = UploadCall(caller: .userID(userID)).head(room: room, name: "upload-\(number)", size: size)
                group.addTask { (userID, try? await FileTransfer.run(port: port, head: head, bodySize: size)) }
            }
            var outcome = Outcome()
            for await (userID, answer) in group {
                if answer?.status == 201, let text = answer?.text,
                    let file = try? JSONDecoder().decode(File.self, from: Data(text.utf8))
                {
                    outcome.fileIDs.append((file.fileId, userID))
                } else {
                    let what = answer.map { "answered with \($0.status)" } ?? "not answered"
                    outcome.errors["an upload \(what)", default: 0] += 1
                }
            }
            outcome.seconds = (ContinuousClock.now - start) / .seconds(1)
            return outcome
        }
    }

    /// Deletes the files, and waits until their bytes are gone.
    /// - Parameter folder: of the store.
    func clear(_ outcome: Outcome, folder: String) async throws {
        for (fileID, userID) in outcome.fileIDs {
            let answer = try await FileTransfer.run(
                port: port, head: UploadCall(caller: .userID(userID)).deletion(of: fileID))
            guard answer.status == 204 else { throw LocalStackError("DELETE of a file: \(answer.status)") }
        }
        let deadline = ContinuousClock.now + Self.clearTime
        while outcome.fileIDs.contains(where: {
            FileManager.default.fileExists(atPath: "\(folder)/\($0.fileID.prefix(2))/\($0.fileID)")
        }) {
            guard ContinuousClock.now < deadline else { throw LocalStackError("Deleted files are not removed") }
            try await Task.sleep(for: .milliseconds(200))
        }
        // What the file system still does for it belongs to no measurement.
        sync()
    }
}
