import ChatLocalStack
import Foundation
import NIOCore

/// Message servers end while they have uploads, and the store of files is away.
extension Fault {
    static let fileFaults = [
        filesServerKilled,
        Fault(
            name: "store-away", summary: "An S3 store answers 500, then refuses connections, then hangs",
            shape: LoadShape(uploaders: 8, uploadRate: 8, libraryClients: 1, storeOutage: .seconds(6)),
            fileStore: .s3,
            bounds: .init(delay: .fixed(.seconds(5)), refused: 0, uploadsRefused: .max),
            signs: [
                .noted(refusedWith500).required, .noted(refusedWithout).required, .noted(heldUp).required,
                .uploadsRefused.required,
            ],
            shapeOfShortForm: LoadShape(uploaders: 8, uploadRate: 8, libraryClients: 1, storeOutage: .seconds(2)),
            inflict: { stage in
                guard let proxy = stage.stack.s3?.proxy else { return }
                stage.mark(awayFrom)
                let error = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                for (label, mode) in [(refusedWith500, FaultProxy.Mode.answer(error)), (refusedWithout, .cut)] {
                    try await proxy.set(mode)
                    try await outlast(stage, label)
                    try await proxy.set(.pass)
                    try await waitForUploads(stage)
                }
                try await proxy.set(.blackHole)
                try await stage.last(stage.load.shape.storeOutage)
                stage.note(heldUp, try await stage.load.uploadsUnderWay)
                stage.mark(awayUntil)
            },
            heal: { stage in
                try await stage.stack.s3?.proxy.set(.pass)
                try await waitForUploads(stage)
            }, examine: postsBeside),
        Fault(
            name: "store-full", summary: "The disk of a store in a folder is full for 6 s",
            shape: LoadShape(uploaders: 8, uploadRate: 8, libraryClients: 1, storeOutage: .seconds(6)),
            fileStore: .smallDisk,
            bounds: .init(delay: .fixed(.seconds(5)), refused: 0, uploadsRefused: .max),
            signs: [.noted(refusedFull).required, .uploadsRefused.required],
            inflict: { stage in
                stage.mark(awayFrom)
                try stage.stack.storeDisk?.fill()
                try await outlast(stage, refusedFull)
                stage.mark(awayUntil)
            },
            heal: { stage in
                try stage.stack.storeDisk?.free()
                try await waitForUploads(stage)
            }, examine: postsBeside),
    ]

    // MARK: Servers

    private static let killedWhileSending = "uploads cut off in mid-body"
    private static let killedWhileStoring = "uploads cut off before their answer"
    private static let killedBeforePost = "killed between an upload and its post"
    private static let longestWait = Duration.seconds(30)

    /// Kills a message server that has an upload, by turns at each moment of the upload's life.
    private static let filesServerKilled = Fault(
        name: "files-server-killed",
        summary: "A message server is killed in mid-upload, before it answers one, and between an upload and its post",
        shape: LoadShape(uploaders: 8, uploadRate: 8, libraryClients: 1, uploadKills: 12),
        // The kills are closer together than the bound of one: several in a row can hit the server that is just taking over.
        bounds: .init(delay: .fixed(.seconds(10)), feedDelay: .fixed(.seconds(15))),
        signs: [
            .noted(killedWhileSending).required, .noted(killedWhileStoring), .noted(killedBeforePost).required,
            .uploadsUnanswered.required, .postsRetried,
        ],
        isInShortForm: true,
        shapeOfShortForm: LoadShape(messages: 2000, uploaders: 8, uploadRate: 8, libraryClients: 1, uploadKills: 3),
        inflict: { stage in
            let moments = FaultUploader.Moment.allCases
            for number in 0..<stage.load.shape.uploadKills {
                try await killServer(at: moments[number % moments.count], stage)
                try await stage.last(.seconds(1))
            }
            // Each of those kills may have come too late for its upload.
            for moment in [FaultUploader.Moment.sending, .stored] {
                for _ in 0..<5 where stage.notes[label(of: moment)] == nil {
                    try await killServer(at: moment, stage)
                    try await stage.last(.seconds(1))
                }
            }
        })

    /// What a kill at this moment is noted as.
    private static func label(of moment: FaultUploader.Moment) -> String {
        switch moment {
        case .sending: killedWhileSending
        case .sent: killedWhileStoring
        case .stored: killedBeforePost
        }
    }

    private static func killServer(at moment: FaultUploader.Moment, _ stage: FaultStage) async throws {
        var found = try await stage.load.waitForUpload(at: moment, within: longestWait)
        if moment == .sending {
            // The longest takes half a second to send.
            repeat {
                found = try await stage.load.waitForUpload(at: moment, within: longestWait)
                try await stage.last(.milliseconds(.random(in: 0...250)))
            } while try await !stage.load.isStill(found)
        }
        guard let server = stage.processes.messageServers.first(where: { $0.port == found.server }) else { return }
        let time = NIODeadline.now().uptimeNanoseconds
        try await server.kill()
        // The answer may have been faster than the kill.
        if try await stage.load.wasStill(found, at: time) { stage.note(label(of: moment)) }
        try await stage.last(.milliseconds(500))
        try await server.start()
    }

    // MARK: Stores

    private static let refusedWith500 = "uploads refused while S3 answered 500"
    private static let refusedWithout = "uploads refused while S3 took no connections"
    private static let heldUp = "uploads held up while S3 hung"
    private static let refusedFull = "uploads refused while the disk was full"
    private static let awayFrom = "the store is away"
    private static let awayUntil = "the store is back"

    /// Waits while the store is away, if need be until an upload is refused, and notes how many are. A server tries for a
    /// while before it refuses one.
    private static func outlast(_ stage: FaultStage, _ label: String) async throws {
        let before = try await stage.load.evidence.uploadsRefused
        try await stage.last(stage.load.shape.storeOutage)
        _ = try await stage.load.wait(atMost: longestWait) { $0.evidence.uploadsRefused > before }
        stage.note(label, try await stage.load.evidence.uploadsRefused - before)
    }

    /// Waits until uploads go on by themselves.
    private static func waitForUploads(_ stage: FaultStage) async throws {
        try await stage.load.waitForStoredFiles(stage.load.shape.uploaders, within: longestWait)
    }

    /// The times of answers to posts without files: while the store is away they may be three times as long as before,
    /// which counts as 100 ms at least.
    private static func postsBeside(_ history: History, _ stage: FaultStage) async throws -> [Measure] {
        guard let begin = stage.time(awayFrom)?.uptimeNanoseconds,
            let end = stage.time(awayUntil)?.uptimeNanoseconds
        else { return [] }
        func p99(_ isCounted: (History.Post) -> Bool) -> Double {
            var histogram = LatencyHistogram()
            for post in history.posts where post.writer < FaultUploader.firstWriter && isCounted(post) {
                guard let answer = post.acknowledgement, answer.at > post.firstSent else { continue }
                histogram.record(nanoseconds: answer.at - post.firstSent)
            }
            return Double(histogram.value(at: 0.99)) / 1e6
        }
        let before = p99 { $0.firstSent < begin }
        let meanwhile = p99 { (begin..<end).contains($0.firstSent) }
        return [
            Measure(
                text: String(format: "p99 of posts %.1f ms, %.1f ms before (bound 3 ×)", meanwhile, before),
                isWithinBound: meanwhile <= 3 * max(100, before))
        ]
    }
}
