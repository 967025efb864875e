import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore

/// Clients whose network comes and goes, and clients that do not read.
extension Fault {
    static let clientFaults = [
        Fault(
            name: "clients-cut", summary: "Ten sessions at random lose their connection, every 300 ms for 9 s",
            bounds: .init(delay: .fixed(.seconds(5)), refused: 0),
            signs: [.socketsClosed.required, .framesReplayed.required], isInShortForm: true,
            inflict: { stage in
                for _ in 0..<30 {
                    try await stage.load.cutSessions(10)
                    try await stage.last(.milliseconds(300))
                }
            }),
        Fault(
            name: "clients-reset",
            summary: "Twenty sessions at random send frames that are answered and reset their connection, every 200 ms "
                + "for 9 s",
            shape: LoadShape(rooms: 2, sessions: 100, readEvery: 0, libraryClients: 1),
            bounds: .init(delay: .fixed(.seconds(5)), refused: 0),
            signs: [.socketsClosed.required, .framesReplayed.required],
            environmentOfWebSocketServer: [
                0: [Settings.redisSubscribe.name: RedisSubscribeMode.pattern.rawValue],
                1: [Settings.redisSubscribe.name: RedisSubscribeMode.room.rawValue],
            ], isInShortForm: true,
            inflict: { stage in
                for _ in 0..<45 {
                    try await stage.load.resetSessions(20)
                    try await stage.last(.milliseconds(200))
                }
            }),
        slowReaders,
    ]

    private static let stalled = 20
    private static let stalledSessions = "sessions stalled"
    private static let megabytes = "MB to each session meanwhile"
    private static let memoryGrowth = "KiB of memory grown"
    private static let stallBegins = "stall begins"
    private static let stallEnds = "stall ends"

    /// 20 of 200 sessions stop reading while 20 MB go to every member of the room.
    private static let slowReaders = Fault(
        name: "slow-readers", summary: "20 of 200 sessions in a room read nothing while 20 MB go to each",
        shape: LoadShape(
            rooms: 1, sessions: 200, writers: 20, messages: 6000, rate: 120, readEvery: 0, uploaders: 0, filler: 4096,
            usesOneWebSocketServer: true),
        warmUp: .seconds(10), bounds: .init(refused: 0),
        signs: [.noted(stalledSessions).required, .noted(megabytes).required, .eventsFromLog],
        inflict: { stage in
            guard let server = await stage.processes.webSocketServers[0].running else { return }
            let before = try ProcessMemory.residentKibibytes(of: server.pid)
            try await stage.load.stallSessions(stalled)
            stage.note(stalledSessions, stalled)
            stage.mark(stallBegins)
            let count = try await stage.load.acknowledged
            var peak = before
            let bytes = 20 << 20
            for part in 1...20 {
                let due = count + bytes / stage.load.shape.filler * part / 20
                _ = try await stage.load.waitForAcknowledged(due, within: .seconds(15))
                peak = max(peak, try ProcessMemory.residentKibibytes(of: server.pid))
            }
            let sent = try await stage.load.acknowledged - count
            stage.note(megabytes, sent * stage.load.shape.filler / 1_000_000)
            stage.note(memoryGrowth, peak - before)
            stage.mark(stallEnds)
        },
        heal: { try await $0.load.wakeSessions() },
        examine: { history, stage in
            guard let begin = stage.time(stallBegins)?.uptimeNanoseconds,
                let end = stage.time(stallEnds)?.uptimeNanoseconds
            else { return [] }
            let without = history.delays { $0.firstSent < begin }.value(at: 0.99)
            let with = history.delays { (begin..<end).contains($0.firstSent) }.value(at: 0.99)
            let growth = Double(stage.notes[memoryGrowth] ?? 0) / 1024
            func text(_ nanoseconds: UInt64) -> String { String(format: "%.1f ms", Double(nanoseconds) / 1e6) }
            return [
                Measure(text: String(format: "memory +%.1f MB (bound 50)", growth), isWithinBound: growth < 50),
                Measure(
                    text: "healthy p99 \(text(with)), \(text(without)) without (bound twice)",
                    isWithinBound: with <= 2 * without),
            ]
        })
}
