import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import Synchronization

/// `chat-lab bench files`: large uploads at once, and the speed of one large file beside nginx.
struct FilesBenchCommand: RepeatedBenchmark {
    static let configuration = CommandConfiguration(
        commandName: "files",
        abstract: "Takes large uploads at once beside posts, and measures one large file beside nginx.",
        discussion: """
            A round has posts at a fixed rate alone, and then beside uploads that all begin at once; then one large file is \
            taken and served by the message server and by nginx, by turns. Needs as much free disk as the uploads have \
            bytes. Files are on PostgreSQL's disk unless --data names another one. Without nginx (./chat bench files --yes \
            installs it) the second part has no reference.
            """)

    @Option(help: "Uploads at once.")
    var uploads = 100

    @Option(help: "MiB of each upload.")
    var megabytes = 100

    @Option(help: "MiB of the file that is measured beside nginx.")
    var fileMegabytes = 512

    @Option(help: "Posts a second.")
    var rate = 200

    @Option(help: "Seconds of posts alone, of which each round begins with some.")
    var seconds = 10

    @Option(
        help: ArgumentHelp(
            "An empty folder for the message server's data (CHAT_DATA_DIR), such as on another disk.",
            valueName: "folder"))
    var data: String?

    @OptionGroup var options: BenchOptions

    /// MB by which the message server may grow, whatever the uploads.
    static let allowedGrowth = 100.0
    private static let room = "files"

    func validate() throws {
        guard (1...1_000).contains(uploads), (1...10_000).contains(megabytes), (1...10_000).contains(fileMegabytes),
            (1...10_000).contains(rate), (1...3_600).contains(seconds)
        else {
            throw ValidationError(
                "--uploads 1–1000, --megabytes 1–10000, --file-megabytes 1–10000, --rate 1–10000, --seconds 1–3600")
        }
    }

    func measure() async throws -> BenchReport {
        let (fileBytes, rounds) = (fileMegabytes << 20, options.rounds)
        let bytes = megabytes << 20
        var settings = [
            Settings.fileMaxBytes.name: String(max(bytes, fileBytes)),
            Settings.fileSpoolBytes.name: String(max(bytes * uploads, fileBytes) + (64 << 20)),
        ]
        settings[Settings.dataDirectory.name] = data
        return try await BenchStack.run(
            authMode: .trusted, configure: { [settings] in $0.environment.merge(settings) { $1 } },
            body: { stack in
                let steady = SteadyRequests(
                    port: stack.messageServers[0].port,
                    request: PostCall(caller: .userID(1)).bytes(room: Self.room, clientMessageID: nil), rate: rate)
                let samples = ProcessSamples([("message server", [try await stack.messageServers[0].pid])])
                let burst = UploadBurst(
                    port: stack.messageServers[0].port, room: Self.room, count: uploads, size: bytes)
                Terminal.print("Warming up …")
                _ = try await steady.run(seconds: 2)
                var part = UploadsBesidePosts(steady: steady, burst: burst, samples: samples, seconds: seconds)
                for round in 1...rounds {
                    Terminal.print("Round \(round) of \(rounds): \(uploads) uploads of \(megabytes) MiB at once …")
                    try await part.runRound(store: "\(data ?? stack.folder + "/data")/files")
                }
                var report = part.report("files: \(uploads) uploads of \(megabytes) MiB at once, \(rounds) rounds")
                try await FileSpeeds.measure(stack, room: Self.room, size: fileBytes, rounds: rounds, &report)
                return report
            })
    }
}

/// Posts alone and beside uploads, by turns.
struct UploadsBesidePosts {
    private static let sampleInterval = Duration.milliseconds(100)
    private static let secondsOfPart = 2

    let steady: SteadyRequests
    let burst: UploadBurst
    let samples: ProcessSamples
    /// Of the posts alone.
    let seconds: Int
    private var comparison = LatencyComparison()
    private var growths: [Double] = []
    private var rates: [Double] = []
    private var before: Double?
    private var errors: [String: Int] = [:]

    init(steady: SteadyRequests, burst: UploadBurst, samples: ProcessSamples, seconds: Int) {
        self.steady = steady
        self.burst = burst
        self.samples = samples
        self.seconds = seconds
    }

    private var memory: [Double] { samples.series[0].megabytes }

    /// - Parameter store: the folder of the store.
    mutating func runRound(store: String) async throws {
        let quiet = try await steady.run(seconds: seconds)
        try samples.take()
        // Memory that was in use once is not given back, so what was there before the first round counts.
        let start = before ?? memory.last ?? 0
        before = start
        let first = memory.count
        let (busy, outcome) = try await besideUploads()
        growths.append((memory[first...].max() ?? start) - start)
        rates.append(Double(outcome.fileIDs.count * burst.size) / 1e6 / outcome.seconds)
        errors.merge(outcome.errors, uniquingKeysWith: +)
        comparison.add(quiet: quiet, busy: busy)
        try await burst.clear(outcome, folder: store)
    }

    /// Posts for as long as the uploads take.
    private func besideUploads() async throws -> (SteadyRequests.Outcome, UploadBurst.Outcome) {
        let end = UploadsEnd()
        async let uploaded = upload(end)
        async let sampled: Void = sample(until: end)
        var busy = SteadyRequests.Outcome()
        repeat {
            let part = try await steady.run(seconds: Self.secondsOfPart)
            busy.latency.merge(part.latency)
            busy.errors += part.errors
        } while !end.isReached
        try await sampled
        return (busy, await uploaded)
    }

    private func upload(_ end: UploadsEnd) async -> UploadBurst.Outcome {
        let outcome = await burst.run()
        end.reach()
        return outcome
    }

    private func sample(until end: UploadsEnd) async throws {
        while !end.isReached {
            try samples.take()
            try await Task.sleep(for: Self.sampleInterval)
        }
    }

    func report(_ title: String) -> BenchReport {
        BenchReport(
            title: title,
            lines: [
                .init("growth of the message server", unit: "MB", growths).within(FilesBenchCommand.allowedGrowth),
                comparison.line("a post beside uploads"),
                .init("uploads at once, all together", unit: "MB/s", rates),
            ],
            errors: errors.merging(comparison.errors("a post beside uploads"), uniquingKeysWith: +),
            notes: [
                String(
                    format: "message server: %.1f MB before, %.1f MB at its highest", before ?? 0, memory.max() ?? 0)
            ])
    }
}

/// Whether all uploads of a round have ended.
private final class UploadsEnd: Sendable {
    private let state = Mutex(false)

    var isReached: Bool { state.withLock { $0 } }
    func reach() { state.withLock { $0 = true } }
}
