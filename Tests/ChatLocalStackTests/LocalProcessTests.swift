import Foundation
import Testing

@testable import ChatLocalStack

@Suite(.timeLimit(.minutes(2))) struct LocalProcessTests {
    @Test func `a local process reports how it ended`() async throws {
        let process = try LocalProcess(.init("/bin/sh", ["-c", "exit 3"]))
        #expect(try await process.waitForExit() == .exited(3))
        #expect(!process.isRunning)
    }

    @Test func `a local process writes its output to the log file and sees only the environment given`() async throws {
        let folder = try TemporaryFolder()
        let log = "\(folder.path)/out.log"
        let process = try LocalProcess(
            .init("/usr/bin/env", environment: ["ONLY": "this one"], logFile: log))
        #expect(try await process.waitForExit() == .exited(0))
        #expect(process.logTail().contains("ONLY=this one"))
        #expect(!process.logTail().contains { $0.hasPrefix("HOME=") })
    }

    @Test func `a signal ends a process, and waiting with a deadline gives up while it runs`() async throws {
        let process = try LocalProcess(.init("/bin/sleep", ["1000"]))
        #expect(try await process.waitForExit(timeout: .milliseconds(20)) == nil)
        process.terminate()
        #expect(try await process.waitForExit() == .signaled(SIGTERM))
        // The number may be another process's by now: nothing may be sent to it.
        process.kill()
    }

    @Test func `a process that ignores its stop signal is killed`() async throws {
        let folder = try TemporaryFolder()
        let fifo = try folder.fifo(named: "ready")
        let process = try LocalProcess(
            .init("/bin/sh", ["-c", #"trap '' TERM; echo ready >"$0"; while :; do sleep 1000; done"#, fifo]))
        #expect(try await readToEnd(of: fifo) == "ready\n")
        #expect(try await process.stop(timeout: .milliseconds(50)) == .signaled(SIGKILL))
    }

    @Test func `a missing program is an error that names it`() {
        #expect {
            try LocalProcess(.init("/nonexistent/program"))
        } throws: { error in
            "\(error)".contains("/nonexistent/program")
        }
    }

    @Test func `cancelling the wait leaves the process alone`() async throws {
        let process = try LocalProcess(.init("/bin/sleep", ["1000"]))
        let waiter = Task { try await process.waitForExit() }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
        #expect(process.isRunning)
        try await process.stop()
    }

    @Test func `a paused process keeps its place and goes on when resumed`() async throws {
        let folder = try TemporaryFolder()
        let fifo = try folder.fifo(named: "ready")
        let process = try LocalProcess(
            .init("/bin/sh", ["-c", #"trap 'exit 7' TERM; echo ready >"$0"; sleep 1000 & wait"#, fifo]))
        #expect(try await readToEnd(of: fifo) == "ready\n")
        process.pause()
        process.terminate()
        #expect(try await process.waitForExit(timeout: .milliseconds(50)) == nil)
        process.resume()
        #expect(try await process.waitForExit() == .exited(7))
    }

    @Test func `no descriptor of the parent is handed on`() async throws {
        let folder = try TemporaryFolder()
        let leaking = open("/dev/null", O_RDONLY)  // Not close-on-exec.
        defer { close(leaking) }
        let log = "\(folder.path)/out.log"
        let process = try LocalProcess(.init("/bin/ls", ["/proc/self/fd"], logFile: log))
        #expect(try await process.waitForExit() == .exited(0))
        // ls itself opens the folder it lists, as number 3.
        #expect(process.logTail() == ["0", "1", "2", "3"])
    }

    @Test func `a process does not survive its parent, even one that is killed`() async throws {
        let folder = try TemporaryFolder()
        let alive = try folder.fifo(named: "alive")
        let started = try folder.fifo(named: "started")
        // The child holds the writing end of `alive` for as long as it lives.
        async let lifetime = readToEnd(of: alive)
        await #expect(processExitsWith: .signal(SIGKILL)) { [alive = alive as String, started = started as String] in
            let child = try LocalProcess(
                .init("/bin/sh", ["-c", #"exec >"$0"; echo ready >"$1"; echo alive; exec sleep 1000"#, alive, started]))
            #expect(try await readToEnd(of: started) == "ready\n")
            #expect(child.isRunning)
            kill(getpid(), SIGKILL)
        }
        #expect(try await lifetime == "alive\n")
    }
}
