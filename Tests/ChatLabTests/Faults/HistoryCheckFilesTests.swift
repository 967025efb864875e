import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(1))) struct HistoryCheckFilesTests {
    @Test func `files that are named, that are kept and that are deleted are clean`() {
        #expect(HistoryCheck(.exampleWithFiles()).isClean)
        #expect(History.exampleWithFiles().filesStored == 3)
        #expect(History.exampleWithFiles().filesNamed == 1)
    }

    @Test(arguments: [0, 1]) func `a file that is named, or was acknowledged, has to be there`(number: Int) {
        for reading in [History.FileReading.missing("503"), nil] {
            var history = History.exampleWithFiles()
            history.files?.readings["id\(number)"] = reading
            #expect(HistoryCheck(history).counts == [.lost: 1])
        }
    }

    @Test func `a file has the bytes that were sent`() {
        var history = History.exampleWithFiles()
        history.files?.readings["id0"] = .bytes(sha256: "another")
        #expect(HistoryCheck(history).counts == [.foreign: 1])
    }

    @Test func `a file without an answer is there if it has a row, and then has the bytes that were sent`() {
        var history = History.exampleWithFiles()
        history.files?.uploads[1].outcome = .unknown
        #expect(HistoryCheck(history).isClean)
        history.files?.readings["id1"] = .missing("404")
        #expect(HistoryCheck(history).counts == [.lost: 1])
        history.files?.rows.remove(at: 1)
        history.files?.readings["id1"] = nil
        #expect(HistoryCheck(history).isClean)
    }

    @Test func `a deleted file is gone, and one whose deletion has no answer may be`() {
        var history = History.exampleWithFiles()
        history.files?.readings["id2"] = .bytes(sha256: "hash2")
        #expect(HistoryCheck(history).counts == [.leftover: 1])
        history.files?.uploads[2].deletion = .asked
        #expect(HistoryCheck(history).isClean)
        history.files?.readings["id2"] = .missing("404")
        #expect(HistoryCheck(history).isClean)
        history.files?.uploads[2].deletion = .none
        #expect(HistoryCheck(history).counts == [.lost: 1])
    }

    @Test func `the file of a deleted message is gone`() {
        var history = History.exampleWithFiles()
        let deleted = History.Identity(kind: History.deletionKind, messageID: 102)
        history.sessions = []
        history.changes = [.init(room: "room", identity: deleted, isAcknowledged: true)]
        history.changeFeed = nil
        history.logs["room"]?[1].fileID = nil
        history.logs["room"]?.append(.init(seq: 6, identity: deleted))
        #expect(HistoryCheck(history).counts == [.leftover: 1])
        history.files?.readings["id0"] = .missing("404")
        #expect(HistoryCheck(history).isClean)
    }

    @Test func `a message names its own file`() {
        var history = History.exampleWithFiles()
        history.logs["room"]?[1].fileID = "id1"
        // One is named by a foreign message, the other not by its own.
        #expect(HistoryCheck(history).counts == [.foreign: 2])
        history.logs["room"]?[1].fileID = "unknown"
        #expect(HistoryCheck(history).counts == [.foreign: 2])
    }

    @Test func `one upload is one file, whatever its attempts`() {
        var history = History.exampleWithFiles()
        history.files?.rows.append(.init(fileID: "id9", mark: "f1"))
        history.files?.readings["id9"] = .bytes(sha256: "hash1")
        #expect(HistoryCheck(history).counts == [.doubled: 1])
    }

    @Test func `what PostgreSQL lost may be gone, and leaves bytes`() {
        var history = History.exampleWithFiles()
        history.logLoss = .init(heads: ["room": 5, "lobby": 3], lagBegan: 0, at: 1000)
        history.files?.readings["id1"] = .missing("404")
        history.files?.leftovers = ["id1 is in the store, and has no row"]
        #expect(HistoryCheck(history).isClean)
        history.files?.uploads[1].outcome = .acknowledged(fileID: "id1", at: 2000)
        #expect(HistoryCheck(history).counts == [.lost: 1])
    }
}

extension History {
    /// The example with three files: one that the second message names, one that none names, and one that was deleted.
    static func exampleWithFiles() -> History {
        var history = exampleWithFeed()
        history.logs["room"]?[1].fileID = "id0"
        let marks = ["m2", "f1", "f2"]
        history.files = Files(
            uploads: marks.enumerated().map { number, mark in
                Upload(
                    mark: mark, room: "room", size: 10, sha256: "hash\(number)",
                    outcome: .acknowledged(fileID: "id\(number)", at: 0),
                    deletion: number == 2 ? .acknowledged : .none)
            },
            readings: [
                "id0": .bytes(sha256: "hash0"), "id1": .bytes(sha256: "hash1"), "id2": .missing("404"),
            ],
            rows: [.init(fileID: "id0", mark: "m2"), .init(fileID: "id1", mark: "f1")])
        return history
    }
}
