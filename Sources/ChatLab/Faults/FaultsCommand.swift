import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOPosix

/// `chat-lab faults`: breaks one thing after another under load and looks whether anything was lost, doubled or reordered.
struct FaultsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "faults",
        abstract: "Breaks a private stack under load, one fault at a time, and checks the whole history.",
        discussion: """
            Each fault has a stack of its own. Exit status 0 only if in every row nothing was lost, doubled or \
            reordered, all bounds were kept and there is proof that the fault took effect. docs/faults.md explains the table.
            """)

    @Argument(help: "Faults by name; all if none is named.")
    var names: [String] = []

    @Flag(help: "Name all faults and do nothing.")
    var list = false

    @Flag(help: "The short form of continuous integration: without names some of the faults and the self-proof.")
    var short = false

    @Flag(help: "Show that the suite notices: runs with one event lost, doubled, swapped and the like.")
    var prove = false

    @Option(help: "Write the rows to this file, too.")
    var json: String?

    @Option(help: "Keep the stacks' data and logs below this folder.")
    var keep: String?

    /// The factor by which times may exceed their bounds: it runs on debug servers beside other work of a machine of
    /// continuous integration. What is lost, doubled or reordered is judged as ever.
    private static let slackOfShortForm = 4

    func run() async throws {
        if list {
            for fault in Fault.all { Terminal.print("\(fault.name): \(fault.summary)") }
            return
        }
        let chosen = try chosenFaults()
        FileDescriptors.raiseLimit()
        let suite = FaultSuite(
            faults: chosen, proves: prove || short && names.isEmpty, folder: keep, json: json,
            slack: short ? Self.slackOfShortForm : 1)
        let interrupts = await Interrupts()
        let isClean = try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask { try await suite.run() }
            group.addTask {
                await interrupts.wait()
                throw CancellationError()
            }
            guard let isClean = try await group.next() else { throw CancellationError() }
            group.cancelAll()
            return isClean
        }
        if !isClean { throw ExitCode.failure }
    }

    private func chosenFaults() throws -> [Fault] {
        if !names.isEmpty { return try Fault.named(names).map { short ? $0.shortened : $0 } }
        if short { return Fault.all.filter(\.isInShortForm).map(\.shortened) }
        return prove ? [] : Fault.all
    }
}
