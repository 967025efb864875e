import ArgumentParser
import AsyncHTTPClient
import ChatLocalStack
import CommonUtil
import NIOCore
import NIOHTTP1

/// `chat-lab bench logins`: p99 of posts beside logins, each of which takes a third of a second of a processor.
struct LoginsBenchCommand: RepeatedBenchmark {
    static let configuration = CommandConfiguration(
        commandName: "logins",
        abstract: "Posts at a fixed rate, in turn alone and beside parallel logins; compares the p99s.")

    @OptionGroup var options: BenchOptions

    @Option(help: "Logins under way at a time.")
    var logins = 20

    @Option(help: "Posts a second.")
    var rate = 200

    @Option(help: "Seconds of each phase, of which a round has two.")
    var seconds = 10

    func validate() throws {
        guard (1...1_000).contains(logins), (1...10_000).contains(rate), (1...3_600).contains(seconds) else {
            throw ValidationError("--logins 1–1000, --rate 1–10000, --seconds 1–3600")
        }
    }

    func measure() async throws -> BenchReport {
        let (logins, rate, seconds, rounds) = (logins, rate, seconds, options.rounds)
        return try await BenchStack.run(authMode: .token) { stack in
            let setup = BenchSetup(stack: stack)
            let token = try await setup.logIn()
            let room = try await setup.makeRooms(1, token: token)[0]
            let steady = SteadyRequests(
                port: stack.messageServers[0].port,
                request: PostCall(caller: .token(token)).bytes(room: room, clientMessageID: nil), rate: rate)
            let load = LoginLoad(url: "\(stack.systemServer.url)/api/v1/auth/login")
            var comparison = LatencyComparison()
            var answers: LoginLoad.Answers = [:]
            Terminal.print("Warming up …")
            _ = try await steady.run(seconds: 2)
            for round in 1...rounds {
                Terminal.print("Round \(round) of \(rounds) …")
                let quiet = try await steady.run(seconds: seconds)
                let busy = try await withThrowingTaskGroup(of: LoginLoad.Answers.self) { group in
                    for _ in 0..<logins { group.addTask { await load.run(seconds: seconds) } }
                    let busy = try await steady.run(seconds: seconds)
                    for try await some in group { answers.merge(some, uniquingKeysWith: +) }
                    return busy
                }
                comparison.add(quiet: quiet, busy: busy)
            }
            let counts = answers.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }.joined(separator: ", ")
            return BenchReport(
                title: "logins: \(logins) at a time, cost \(Settings.passwordCost.defaultText), beside \(rate) posts/s",
                lines: [comparison.line("a post")], errors: comparison.errors("a post"),
                notes: ["logins   \(counts)"])
        }
    }
}

/// Logins of an unknown user, one after the other. They take the same work as those of a known one.
struct LoginLoad: Sendable {
    /// The number of answers of each status.
    typealias Answers = [String: Int]

    let url: String

    func run(seconds: Int) async -> Answers {
        var answers: Answers = [:]
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end, !Task.isCancelled {
            var request = HTTPClientRequest(url: url)
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: #"{"username":"nobody","password":"a wrong password"}"#))
            let response = try? await HTTPClient.shared.execute(request, timeout: .seconds(60))
            _ = try? await response?.body.collect(upTo: 65_536)
            answers[response.map { "\($0.status.code)" } ?? "no answer", default: 0] += 1
        }
        return answers
    }
}
