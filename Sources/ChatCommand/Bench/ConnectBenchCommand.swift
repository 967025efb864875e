import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOPosix

/// `chat bench connect`: what a socket costs the server to open and to keep, and how fast many come back.
struct ConnectBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect",
        abstract: "Processor time of a connect, memory of an idle socket, and the resume of all sockets at once.")

    @Option(help: "WebSockets, spread evenly over the rooms.")
    var sockets = 10_000

    @Option(help: "Rooms.")
    var rooms = 1000

    @Option(help: "Messages that each room has for sockets that come back.")
    var missed = 20

    @Flag(help: "In token mode: one user who has logged in, instead of trusted mode.")
    var token = false

    @Option(help: "Write the figures to this file, too.")
    var json: String?

    func validate() throws {
        guard (1...20_000).contains(sockets), (1...sockets).contains(rooms), (0...100).contains(missed) else {
            throw ValidationError("--sockets 1–20000, --rooms 1–SOCKETS, --missed 0–100")
        }
    }

    func run() async throws {
        let report = try await BenchStack.run(authMode: token ? .token : .trusted) { stack in
            try await measure(stack)
        }
        try report.publish(json: json)
        if !report.errors.isEmpty { throw ExitCode.failure }
    }

    private func measure(_ stack: LocalStack) async throws -> CostReport {
        let server = stack.webSocketServers[0]
        guard let pid = await server.running?.pid else { throw LocalStackError("The WebSocket server is gone") }
        let setup = BenchSetup(stack: stack)
        let account = token ? try await setup.logIn() : nil
        let caller = account.map { PostRequest.Caller.token($0) } ?? .userID(1)
        var names = (0..<rooms).map { "bench-\($0)" }
        Terminal.say("Making \(rooms) rooms …")
        if let account { names = try await setup.makeRooms(rooms, token: account) }
        for name in names { try await setup.post(1, to: name, as: caller) }

        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        func load() -> FanoutLoad {
            FanoutLoad(eventLoop: group.next(), rooms: names, accessToken: account)
        }
        // The first thousand pay for what a server makes once.
        let first = load()
        try await first.connect(min(1000, sockets), port: server.port)
        try await first.disconnect()

        Terminal.say("Connecting \(sockets) sockets …")
        let memory = try ProcessMemory.residentKibibytes(of: pid)
        let cpu = try ProcessorTime.seconds(ofProcess: pid)
        let start = ContinuousClock.now
        let idle = load()
        try await idle.connect(sockets, port: server.port)
        let connecting = ContinuousClock.now - start
        let connectCost = try ProcessorTime.seconds(ofProcess: pid) - cpu
        let memoryCost = try ProcessMemory.residentKibibytes(of: pid) - memory
        try await idle.disconnect()

        Terminal.say("Posting what the sockets miss …")
        for name in names { try await setup.post(missed, to: name, as: caller) }
        Terminal.say("All come back …")
        let returning = load()
        let resume = ContinuousClock.now
        try await returning.connect(sockets, port: server.port, lastSeq: 1, atOnce: sockets)
        for room in names.indices { _ = try await returning.deliver(missed, inRoom: room) }
        let resumed = ContinuousClock.now - resume
        let errors = try await returning.errors
        try await returning.disconnect()
        try await group.shutdownGracefully()

        let count = Double(sockets)
        return CostReport(
            title: "connect: \(sockets) sockets, \(rooms) rooms, \(token ? "token" : "trusted") mode",
            lines: [
                .init("processor time of a connect", unit: "µs", values: [connectCost / count * 1e6]),
                .init("time for all to connect, 64 at a time", unit: "s", values: [connecting / .seconds(1)]),
                .init("memory of an idle socket", unit: "KB", values: [Double(memoryCost) * 1024 / count / 1e3]),
                .init(
                    "time for all to come back at once, \(missed) events missed", unit: "s",
                    values: [resumed / .seconds(1)]),
            ], errors: errors)
    }
}
