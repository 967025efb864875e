import ChatLocalStack
import Foundation
import NIOCore
import NIOPosix

/// Runs the chosen faults one after the other and reports them.
struct FaultSuite: Sendable {
    let faults: [Fault]
    let proves: Bool
    /// Below it each stack keeps its data and logs; nil for temporary folders.
    let folder: String?
    let json: String?
    /// The factor by which times may exceed their bounds.
    let slack: Int

    /// - Returns: whether all rows are clean and all mistakes of the self-proof were reported.
    func run() async throws -> Bool {
        // An event loop of their own, so that a proxy does not delay the clients' clock.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let isClean = try await run(clientsOn: group.next())
            try await group.shutdownGracefully()
            return isClean
        } catch {
            // Of its own, since this task may have been cancelled.
            await Task { try? await group.shutdownGracefully() }.value
            throw error
        }
    }

    private func run(clientsOn eventLoop: any EventLoop) async throws -> Bool {
        var rows: [FaultRow] = []
        for (index, fault) in faults.enumerated() {
            Terminal.print("[\(index + 1)/\(faults.count)] \(fault.name): \(fault.summary) …")
            if let reason = await fault.obstacle() {
                Terminal.print("  SKIPPED: \(reason)")
                continue
            }
            let row = try await run(fault, clientsOn: eventLoop)
            Terminal.print("  \(row.isClean ? "ok" : "FAILED: \(row.problems.joined(separator: "; "))")")
            for example in row.examples { Terminal.print("    \(example)") }
            rows.append(row)
        }
        let table = FaultTable(rows: rows)
        if !rows.isEmpty { Terminal.print("\n\(table.text)\n") }
        if let json { try table.write(json: json) }

        guard proves else { return rows.allSatisfy(\.isClean) }
        Terminal.print("Self-test: is a broken system detected?")
        let findings = try await FaultStack.run(folder: folder(for: "self-proof")) { stack in
            try await SelfProof(stack: stack, eventLoop: eventLoop, slack: slack).run()
        }
        for finding in findings { Terminal.print(finding.text) }
        return rows.allSatisfy(\.isClean) && findings.allSatisfy(\.isReported)
    }

    /// Runs one fault. An error becomes a row, so that the others are still run.
    private func run(_ fault: Fault, clientsOn eventLoop: any EventLoop) async throws -> FaultRow {
        do {
            return try await FaultStack.run(
                folder: folder(for: fault.name), standby: fault.standby, hasSmallDisk: fault.hasSmallDisk,
                fileStore: fault.fileStore, environmentOfWebSocketServer: fault.environmentOfWebSocketServer
            ) { stack in
                let row = try await FaultRun(fault: fault, stack: stack, eventLoop: eventLoop, slack: slack).run().row
                if !row.isClean { stack.sayLastLogLines() }
                return row
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            try Task.checkCancellation()
            return FaultRow(fault: fault, failure: "\(error)")
        }
    }

    private func folder(for name: String) throws -> String? {
        try folder.map { folder in
            try PrivateFolder.create(folder, mode: 0o711)
            return "\(URL(fileURLWithPath: folder).standardizedFileURL.path)/\(name)"
        }
    }
}
