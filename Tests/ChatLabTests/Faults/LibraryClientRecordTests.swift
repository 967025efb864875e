import ChatLocalStack
import Foundation
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(1))) struct LibraryClientRecordTests {
    private func record(_ files: [String: String]) throws -> LibraryClientRecord {
        let folder = try PrivateFolder.temporary()
        defer { PrivateFolder.remove(folder) }
        for (name, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name).log")) }
        return LibraryClientRecord(name: "c", folder: folder, hearsFromNow: false, kills: 2, store: .init())
    }

    @Test func `lives are told apart, and a line that was cut off does not count`() throws {
        let record = try record([
            "heard": "start\nr 1 a\nr 2 b\nstart\nr 3 c\nr 4", "applied": "r 1 a\nr 2 b", "kept": "k-0 r\nk-1 r\n",
            "ended": "k-0 stored \nk-1 refused too_large\nk-2",
        ])
        #expect(record.heard.map { $0.map(\.seq) } == [[1, 2], [3]])
        #expect(record.applied.map(\.eventMark) == ["a"])
        #expect(record.kept == ["k-0", "k-1"])
        #expect(record.ends == [.init(key: "k-0", state: "stored"), .init(key: "k-1", state: "refused")])
        #expect(record.kills == 2)
    }

    @Test func `a client that never wrote has an empty record`() throws {
        let record = try record([:])
        #expect(record.heard.isEmpty && record.applied.isEmpty && record.named.isEmpty && record.kept.isEmpty)
    }
}
