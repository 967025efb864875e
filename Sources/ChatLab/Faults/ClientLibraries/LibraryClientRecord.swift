import Foundation

/// What a process with a client library wrote down, over all its lives, and what its store holds at the end.
struct LibraryClientRecord: Sendable {
    /// An event that the library handed on.
    struct Sighting: Sendable, Equatable {
        var room: String
        var seq: Int
        var eventMark: String
    }

    /// A message in the client's store.
    struct Message: Sendable, Equatable, Codable {
        var seq: Int
        var messageId: Int
        var contentJson: String
        var isEdited: Bool
        var isDeleted: Bool
    }

    /// The output of the client's mode `show`.
    struct Store: Sendable, Equatable, Codable {
        struct Post: Sendable, Equatable, Codable {
            var key: String
            var state: String
        }

        var rooms: [String: [Message]] = [:]
        var outbox: [Post] = []
    }

    /// How a post ended, as its client was informed.
    struct End: Sendable, Equatable {
        var key: String
        var state: String
    }

    var name: String
    /// From `on('event')`, or `events()` from now on: one list for each life of the process.
    var heard: [[Sighting]] = []
    /// Whether each life hears what happens from its beginning on, and not what came before.
    var hearsFromNow = false
    /// From `events({after, mark})` with a position that the application keeps.
    var applied: [Sighting] = []
    /// From `events({as})`.
    var named: [Sighting] = []
    /// The keys of posts whose `kept` was settled.
    var kept: [String] = []
    var ends: [End] = []
    var store = Store()
    /// How often the process was killed.
    var kills = 0
}

extension LibraryClientRecord {
    /// Reads the files of a client's folder.
    init(name: String, folder: String, hearsFromNow: Bool, kills: Int, store: Store) {
        self.init(name: name)
        self.hearsFromNow = hearsFromNow
        self.kills = kills
        self.store = store
        for words in Self.lines(of: "heard", in: folder) {
            if words == ["start"] {
                heard.append([])
            } else if let sighting = Self.sighting(words) {
                if heard.isEmpty { heard.append([]) }
                heard[heard.count - 1].append(sighting)
            }
        }
        applied = Self.lines(of: "applied", in: folder).compactMap(Self.sighting)
        named = Self.lines(of: "named", in: folder).compactMap(Self.sighting)
        kept = Self.lines(of: "kept", in: folder).compactMap(\.first).map(String.init)
        ends = Self.lines(of: "ended", in: folder).compactMap { words in
            words.count >= 2 ? End(key: String(words[0]), state: String(words[1])) : nil
        }
    }

    /// The words of each whole line: the end of a process may have cut the last one off.
    private static func lines(of name: String, in folder: String) -> [[Substring]] {
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(name).log") else { return [] }
        var lines = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        lines.removeLast()
        return lines.map { $0.split(separator: " ") }
    }

    private static func sighting(_ words: [Substring]) -> Sighting? {
        guard words.count == 3, let seq = Int(words[1]) else { return nil }
        return Sighting(room: String(words[0]), seq: seq, eventMark: String(words[2]))
    }
}
