import ChatLocalStack
import Foundation
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(1))) struct LibraryClientRecordTests {
    private func record(_ files: [String: String]) throws -> LibraryClientRecord {
        let folder = try PrivateFolder.temporary()
        defer { PrivateFolder.remove(folder) }
        for (name, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name).log")) }
        return LibraryClientRecord(name: "c", folder: folder, hearsFromNow: false, starts: 3, kills: 2)
    }

    @Test func `lives are separate, and a line that was cut off does not count`() throws {
        let record = try record([
            "heard": "start\nr 1 a\nr 2 b\nstart\nr 3 c\nr 4", "applied": "r 1 a\nr 2 b",
            "asked": "k-0 1\nk-0 3\nk-1 5\n", "kept": "k-0 4\nk-1 6\n",
            "ended": "k-0 stored r 2\nk-1 refused too_large\nk-2",
        ])
        #expect(record.heard.map { $0.map(\.seq) } == [[1, 2], [3]])
        #expect(record.applied.map(\.eventMark) == ["a"])
        #expect(
            record.ends == [
                .init(key: "k-0", state: "stored", room: "r", seq: 2), .init(key: "k-1", state: "refused"),
            ])
        #expect(record.starts == 3 && record.kills == 2)
    }

    @Test func `a post was asked for when that was done for the first time`() throws {
        let record = try record(["asked": "k-0 1\nk-0 3\nk-1 5\n", "kept": "k-0 4\n"])
        #expect(record.kept == [.init(key: "k-0", asked: 1, kept: 4)])
        #expect(record.lastAsked == "k-1")
    }

    @Test func `a reader that began again is not one that was given an event`() throws {
        let record = try record(["applied": "r 1 a\nreset r 0\nr 1 b\n", "heard": "start\nreset r 7\n"])
        #expect(record.applied.map(\.isReset) == [false, true, false])
        #expect(record.heard == [[.reset("r", after: 7)]])
    }

    @Test func `a client that never wrote has an empty record`() throws {
        let record = try record([:])
        #expect(record.heard.isEmpty && record.applied.isEmpty && record.named.isEmpty && record.kept.isEmpty)
    }
}
