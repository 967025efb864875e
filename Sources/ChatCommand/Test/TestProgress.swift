import Foundation

/// Which tests of a run have begun and not ended, read from Swift Testing's event stream: a JSON object on each line.
///
/// The stream is written event by event, while what is printed goes through buffers.
struct TestProgress {
    /// The time without a test that begins or ends after which a run has stalled. A little more than the longest time limit of a
    /// test (`.timeLimit(.minutes(2))`), so that the limit speaks first.
    static let stallLimit = Duration.seconds(135)

    private struct Record: Decodable {
        struct Payload: Decodable {
            let kind: String
            let testID: String?
        }

        let kind: String
        let payload: Payload
    }

    private var lastMovement: ContinuousClock.Instant
    private var isRunning = false
    private var unfinishedLine: [UInt8] = []

    /// The tests and suites under way, in the order in which they began: `Module.Suite/test()/File.swift:1:2`.
    private(set) var pending: [String] = []

    init(start: ContinuousClock.Instant) { lastMovement = start }

    /// Takes a piece of the stream.
    mutating func read(_ bytes: some Collection<UInt8>, at now: ContinuousClock.Instant) {
        unfinishedLine += bytes
        guard let end = unfinishedLine.lastIndex(of: UInt8(ascii: "\n")) else { return }
        for line in unfinishedLine[..<end].split(separator: UInt8(ascii: "\n")) { read(line: line, at: now) }
        unfinishedLine.removeSubrange(...end)
    }

    private mutating func read(line: ArraySlice<UInt8>, at now: ContinuousClock.Instant) {
        guard let record = try? JSONDecoder().decode(Record.self, from: Data(line)), record.kind == "event" else {
            return
        }
        switch (record.payload.kind, record.payload.testID) {
        case ("runStarted", _): isRunning = true
        case ("runEnded", _):
            isRunning = false
            pending = []
        case ("testStarted", let test?): pending.append(test)
        case ("testEnded", let test?), ("testSkipped", let test?): pending.removeAll { $0 == test }
        case ("testCaseStarted", _), ("testCaseEnded", _): break
        // Such as an issue, of which a test that hangs may record any number.
        default: return
        }
        lastMovement = now
    }

    /// Whether tests run and none of them, nor a case of one, has begun or ended for too long.
    func isStalled(at now: ContinuousClock.Instant) -> Bool {
        isRunning && now - lastMovement >= Self.stallLimit
    }
}
