import ArgumentParser
import Testing

@testable import ChatLab

@Suite("The arguments of the benches", .timeLimit(.minutes(2)))
struct BenchArgumentsTests {
    @Test(
        "are complete by default, for each bench",
        arguments: BenchCommand.benchmarks.map { $0.configuration.commandName })
    func defaults(name: String?) throws {
        let kind = try #require(BenchCommand.benchmarks.first { $0.configuration.commandName == name })
        let bench: any RepeatedBenchmark = try kind.parse(["--rounds", "2", "--json", "/tmp/x"])
        #expect(bench.options.rounds == 2)
        #expect(bench.json == "/tmp/x")
    }

    @Test(
        "are refused when they make no sense",
        arguments: [
            ["fanout", "--rounds", "0"], ["fanout", "--in-flight", "0"], ["rooms", "--sockets", "10", "--rooms", "11"],
            ["rooms", "--rate", "0"], ["idle", "--sockets", "3"], ["instructions", "--check", "--update"],
            ["soak", "--minutes", "0"], ["soak", "--megabytes", "0"], ["post", "--clients", "0"],
        ])
    func refused(arguments: [String]) {
        #expect(throws: (any Error).self) { try BenchCommand.parseAsRoot(arguments) }
    }

    @Test("are what rooms, soak and instructions say they are")
    func meaning() throws {
        let rooms = try RoomsBenchCommand.parse([])
        #expect(rooms.sockets == 10_000 && rooms.rooms == 1000 && rooms.rate == 2000)
        #expect(try SoakBenchCommand.parse(["--minutes", "2"]).minutes == 2)
        #expect(try InstructionsBenchCommand.parse(["--check"]).check)
    }
}
