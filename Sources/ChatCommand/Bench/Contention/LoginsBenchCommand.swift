import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation

/// `chat bench logins`: what posts feel of logins, each of which costs a processor's third of a second.
struct LoginsBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logins",
        abstract: "Posts at a fixed rate, first alone and then beside parallel logins; compares the p99s.")

    @Option(help: "Logins under way at a time.")
    var logins = 20

    @Option(help: "Posts a second.")
    var rate = 200

    @Option(help: "Seconds of each of the two phases.")
    var seconds = 15

    func validate() throws {
        guard (1...1_000).contains(logins), (1...10_000).contains(rate), (1...3_600).contains(seconds) else {
            throw ValidationError("--logins 1–1000, --rate 1–10000, --seconds 1–3600")
        }
    }

    func run() async throws {
        let (logins, rate, seconds) = (logins, rate, seconds)
        let (quiet, busy, answers) = try await BenchStack.run(
            authMode: .token,
            environmentOfKind: [
                .system: [
                    Settings.limitLoginsPerAccount.name: "0", Settings.limitLoginsPerAddress.name: "0",
                    Settings.limitRegistrations.name: "0",
                ]
            ]
        ) { stack in
            let setup = BenchSetup(stack: stack)
            let token = try await setup.logIn()
            let room = try await setup.makeRooms(1, token: token)[0]
            let steady = SteadyRequests(
                port: stack.messageServers[0].port,
                request: PostRequest(caller: .token(token)).bytes(
                    room: room, clientMessageID: nil), rate: rate)
            Terminal.say("Posting …")
            _ = try await steady.run(seconds: 2)
            let quiet = try await steady.run(seconds: seconds)
            Terminal.say("Posting beside logins …")
            let load = LoginLoad(url: "\(stack.systemServer.url)/api/v1/auth/login")
            return try await withThrowingTaskGroup(of: LoginLoad.Answers.self) { group in
                for _ in 0..<logins { group.addTask { await load.run(seconds: seconds) } }
                let busy = try await steady.run(seconds: seconds)
                let answers = try await group.reduce(into: LoginLoad.Answers()) { $0.merge($1) { $0 + $1 } }
                return (quiet, busy, answers)
            }
        }
        let comparison = LatencyComparison(quiet: quiet, busy: busy)
        let counts = answers.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }.joined(separator: ", ")
        Terminal.say(
            """
            chat bench logins: \(logins) at a time, cost \(Settings.passwordCost.defaultText), \(rate) posts/s
            \(comparison.text)
              logins   \(counts) in \(seconds) s
            """)
        if !comparison.isWithinTwice { throw ExitCode.failure }
    }
}
