import ArgumentParser
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(2))) struct BenchArgumentsTests {
    @Test(arguments: BenchCommand.benchmarks.map { $0.configuration.commandName })
    func `each bench takes the number of rounds and a file for its figures`(name: String?) throws {
        let kind = try #require(BenchCommand.benchmarks.first { $0.configuration.commandName == name })
        let bench: any RepeatedBenchmark = try kind.parse(["--rounds", "2", "--json", "/tmp/x"])
        #expect(bench.options.rounds == 2)
        #expect(bench.json == "/tmp/x")
    }

    @Test(arguments: [
        ["fanout", "--rounds", "0"], ["fanout", "--in-flight", "0"], ["rooms", "--sockets", "10", "--rooms", "11"],
        ["rooms", "--rate", "0"], ["idle", "--sockets", "3"], ["instructions", "--check", "--update"],
        ["soak", "--minutes", "0"], ["soak", "--megabytes", "0"], ["post", "--clients", "0"],
        ["user-sockets", "no-such-part"], ["user-sockets", "--rooms", "7", "--rooms-of-user", "5", "--sockets", "2"],
        ["user-sockets", "--missed", "1"], ["changes", "--webhooks", "101"], ["changes", "--seconds", "0"],
        ["abuse", "no-such-attack"], ["abuse", "--seconds", "1"],
        ["files", "--uploads", "0"], ["files", "--megabytes", "0"],
    ])
    func `arguments out of their range are refused`(arguments: [String]) {
        #expect(throws: (any Error).self) { try BenchCommand.parseAsRoot(arguments) }
    }

    @Test func `rooms, soak and instructions take what they say they take`() throws {
        let rooms = try RoomsBenchCommand.parse([])
        #expect(rooms.sockets == 10_000 && rooms.rooms == 1000 && rooms.rate == 2000)
        let users = try UserSocketsBenchCommand.parse(["return", "burst"])
        #expect(users.sockets == 1000 && users.roomsOfUser == 500 && users.rooms == 10_000 && users.rate == 2000)
        #expect(users.parts == [.return, .burst])
        #expect(try SoakBenchCommand.parse(["--minutes", "2"]).minutes == 2)
        #expect(try InstructionsBenchCommand.parse(["--check"]).check)
    }
}
