import Foundation
import Testing

@testable import ChatClient

#if os(Linux)
    /// The store of a process that is killed in the middle of its steps.
    @Suite(.timeLimit(.minutes(2))) struct KilledStoreTests {
        /// Written for each step that is kept, among what the test runner writes.
        static let sign: UInt8 = 1
        static let child = ProcessInfo.processInfo.environment["CHAT_STORE_CHILD"]

        @Test(.enabled(if: child == nil)) func `what was acknowledged is there and no step is half`() async throws {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString)").path
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let store = try FileChatStore(folder: folder)
            for round in 0..<20 {
                let (process, acknowledged) = try startChild(folder)
                // It works when its first sign is here; then it is killed at any moment.
                var count = try firstSigns(acknowledged)
                try await Task.sleep(for: .microseconds(Int64.random(in: 0...30_000)))
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
                count += try acknowledged.fileHandleForReading.readToEnd()?.count { $0 == Self.sign } ?? 0
                let (kept, copy) = try await store.step { step in
                    (try number(step, "\(round)/count"), try number(step, "\(round)/copy"))
                }
                #expect(kept == copy)
                #expect(kept == count || kept == count + 1)
                // What it was about to do is done or not; that the next one finds no lock held was just seen.
                try await store.step { $0.set("round", Array(String(round + 1).utf8)) }
            }
        }

        @Test(.enabled(if: child == nil)) func `a process that stands still in the middle of a step holds nobody up`()
            async throws
        {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString)").path
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let store = try FileChatStore(folder: folder, suspensionTimeout: 50)
            let (process, acknowledged) = try startChild(folder)
            var count = try firstSigns(acknowledged)
            for round in 1...40 {
                try await Task.sleep(for: .microseconds(Int64.random(in: 0...10_000)))
                kill(process.processIdentifier, SIGSTOP)
                let (kept, copy, own) = try await store.step { step in
                    let own = try number(step, "own") + 1
                    step.set("own", Array(String(own).utf8))
                    step.set("ownCopy", Array(String(own).utf8))
                    return (try number(step, "0/count"), try number(step, "0/copy"), own)
                }
                #expect(kept == copy)
                #expect(own == round)
                kill(process.processIdentifier, SIGCONT)
            }
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            count += try acknowledged.fileHandleForReading.readToEnd()?.count { $0 == Self.sign } ?? 0
            let (kept, copy) = try await store.step { step in
                (try number(step, "0/count"), try number(step, "0/copy"))
            }
            #expect(kept == copy)
            #expect(kept == count || kept == count + 1)
        }

        private func startChild(_ folder: String) throws -> (Process, Pipe) {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/proc/self/exe")
            process.arguments = ["--filter", "isTheChild", "--testing-library", "swift-testing"]
            process.environment = ProcessInfo.processInfo.environment.merging(["CHAT_STORE_CHILD": folder]) { $1 }
            let acknowledged = Pipe()
            process.standardError = acknowledged
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            return (process, acknowledged)
        }

        private func firstSigns(_ acknowledged: Pipe) throws -> Int {
            var count = 0
            while count == 0 {
                let bytes = try #require(try acknowledged.fileHandleForReading.read(upToCount: 1))
                count += bytes.count { $0 == Self.sign }
            }
            return count
        }

        /// Counts, two values in one step, and writes a sign for each step that is kept.
        @Test(.enabled(if: child != nil)) func isTheChild() async throws {
            let store = try FileChatStore(folder: try #require(Self.child))
            let round = try await store.step { step in try number(step, "round") }
            for count in 1... {
                try await store.step { step in
                    step.set("\(round)/count", Array(String(count).utf8))
                    step.set("\(round)/copy", Array(String(count).utf8))
                }
                FileHandle.standardError.write(Data([Self.sign]))
            }
        }
    }

    private func number(_ step: ChatStoreStep, _ key: String) throws -> Int {
        try step.value(key).flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
    }
#endif
