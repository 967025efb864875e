import Foundation

/// What a process with a client library wrote down, over all its lives.
struct LibraryClientRecord: Sendable {
    /// What the library handed to a reader.
    struct Sighting: Sendable, Equatable {
        var room: String
        var seq: Int
        var eventMark: String
        /// Not an event: the reader was informed that the room's log is another one, and began again after `seq`.
        var isReset = false

        static func reset(_ room: String, after seq: Int = 0) -> Sighting {
            Sighting(room: room, seq: seq, eventMark: "", isReset: true)
        }
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

    /// A post whose `kept` was settled. Times are nanoseconds of the clock that all processes share.
    struct KeptPost: Sendable, Equatable {
        var key: String
        /// Before it was first handed to the library, in any life: nothing of it was kept earlier.
        var asked: UInt64
        /// After the store had it, at the latest.
        var kept: UInt64
    }

    /// How a post ended, as its client was informed.
    struct End: Sendable, Equatable {
        var key: String
        var state: String
        /// Where it was stored.
        var room: String?
        var seq: Int?
    }

    var name: String
    /// From `on('event')`, or `events()` from now on: one list for each life of the process.
    var heard: [[Sighting]] = []
    /// Whether each life hears what happens from its beginning on, and not what came before.
    var hearsFromNow = false
    /// Whether another process moves the store on while this one is dead.
    var sharesStore = false
    /// From `events({after, mark})` with a position that the application keeps.
    var applied: [Sighting] = []
    /// From `events({as})`.
    var named: [Sighting] = []
    var kept: [KeptPost] = []
    /// The post that was handed to the library last.
    var lastAsked: String?
    var ends: [End] = []
    /// How often the process was started and killed.
    var starts = 0
    var kills = 0

    init(name: String) { self.name = name }
}

extension LibraryClientRecord {
    /// Reads the files of a client's folder, which `Clients/JavaScript/faults/fault-client.mjs` describes.
    init(name: String, folder: String, hearsFromNow: Bool, starts: Int, kills: Int) {
        self.init(name: name)
        self.hearsFromNow = hearsFromNow
        self.starts = starts
        self.kills = kills
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
        let asked = Self.lines(of: "asked", in: folder).compactMap(Self.time)
        lastAsked = asked.last?.key
        let firstAsked = Dictionary(asked, uniquingKeysWith: { first, _ in first })
        kept = Self.lines(of: "kept", in: folder).compactMap(Self.time).map { key, time in
            KeptPost(key: key, asked: firstAsked[key] ?? 0, kept: time)
        }
        ends = Self.lines(of: "ended", in: folder).compactMap { words in
            guard words.count >= 2 else { return nil }
            var end = End(key: String(words[0]), state: String(words[1]))
            if words.count == 4 { (end.room, end.seq) = (String(words[2]), Int(words[3])) }
            return end
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
        guard words.count == 3 else { return nil }
        if words[0] == "reset" { return Int(words[2]).map { .reset(String(words[1]), after: $0) } }
        return Int(words[1]).map { Sighting(room: String(words[0]), seq: $0, eventMark: String(words[2])) }
    }

    private static func time(_ words: [Substring]) -> (key: String, UInt64)? {
        guard words.count == 2, let time = UInt64(words[1]) else { return nil }
        return (String(words[0]), time)
    }
}
