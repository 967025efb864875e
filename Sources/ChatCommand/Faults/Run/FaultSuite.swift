import ChatLocalStack
import Foundation
import NIOCore
import NIOPosix

/// All chosen faults, one after the other, and what came of them.
struct FaultSuite: Sendable {
    let faults: [Fault]
    let proves: Bool
    /// Below it each stack keeps its data and logs; nil for temporary folders.
    let folder: String?
    let json: String?

    /// - Returns: whether all is as it should be.
    func run() async throws -> Bool {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        var rows: [FaultRow] = []
        for (index, fault) in faults.enumerated() {
            Terminal.say("[\(index + 1)/\(faults.count)] \(fault.name): \(fault.summary) …")
            let row = try await FaultStack.run(folder: folder(for: fault.name)) { stack in
                try await FaultRun(fault: fault, stack: stack, eventLoop: eventLoop).run().row
            }
            Terminal.say("  \(row.isClean ? "ok" : "FAILED: \(row.problems.joined(separator: "; "))")")
            for example in row.examples { Terminal.say("    \(example)") }
            rows.append(row)
        }
        let table = FaultTable(rows: rows)
        if !rows.isEmpty { Terminal.say("\n\(table.text)\n") }
        if let json { try table.write(json: json) }

        guard proves else { return rows.allSatisfy(\.isClean) }
        Terminal.say("Would it be noticed?")
        let findings = try await FaultStack.run(folder: folder(for: "self-proof")) { stack in
            try await SelfProof(stack: stack, eventLoop: eventLoop).run()
        }
        for finding in findings { Terminal.say(finding.text) }
        return rows.allSatisfy(\.isClean) && findings.allSatisfy(\.isReported)
    }

    private func folder(for name: String) throws -> String? {
        try folder.map { folder in
            try PrivateFolder.create(folder, mode: 0o711)
            return "\(URL(fileURLWithPath: folder).standardizedFileURL.path)/\(name)"
        }
    }
}
