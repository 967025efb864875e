import Foundation
import Synchronization

/// A child process in a process group of its own, with its output in a log file. It never outlives this process.
///
/// It starts behind a gate (a shell that waits for one line before it becomes the program), because a watchdog can
/// only be set on a process that exists: however early this process dies, either the gate or the watchdog notices.
public final class LocalProcess: Sendable {
    /// What to run.
    public struct Command: Sendable {
        /// An absolute path.
        public var executable: String
        /// The arguments after the program's own name.
        public var arguments: [String]
        /// The whole environment of the child.
        public var environment: [String: String]
        /// The directory in which the program runs; nil for this process' own.
        public var workingDirectory: String?
        /// Standard output and error are appended to this file.
        public var logFile: String
        /// What makes the program stop gracefully; sent, too, when this process dies.
        public var stopSignal: Int32

        public init(
            _ executable: String, _ arguments: [String] = [],
            environment: [String: String] = ChildEnvironment.inherited, workingDirectory: String? = nil,
            logFile: String = "/dev/null", stopSignal: Int32 = SIGTERM
        ) {
            self.executable = executable
            self.arguments = arguments
            self.environment = environment
            self.workingDirectory = workingDirectory
            self.logFile = logFile
            self.stopSignal = stopSignal
        }
    }

    /// What was started.
    public let command: Command
    /// The process id, of this process' child.
    public let pid: pid_t

    private let exit = OneShot<ExitStatus>()
    /// Guards the pid: after it is reaped the number may belong to another process, and no signal may be sent.
    private let reaped = Mutex(false)

    /// Starts the program.
    /// - Throws: `LocalStackError` if it is not there or cannot be started.
    public init(_ command: Command) throws {
        guard access(command.executable, X_OK) == 0 else {
            throw LocalStackError("Cannot run \(command.executable): \(describe(errno: errno))")
        }
        self.command = command
        let log = open(command.logFile, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard log >= 0 else { throw LocalStackError.systemCall("Cannot open \(command.logFile)", errno: errno) }
        defer { close(log) }

        let gate = try Leash()
        do {
            pid = try Spawn.start(
                "/bin/sh",
                [
                    "-c", #"read -r go && cd "$1" && shift && exec "$@" </dev/null"#, "chat-gate",
                    command.workingDirectory ?? ".", command.executable,
                ] + command.arguments,
                environment: command.environment, input: gate.theirs, output: log)
        } catch {
            gate.closeTheirs()
            gate.drop()
            throw error
        }
        gate.closeTheirs()

        let watchdog: Watchdog
        do {
            watchdog = try Watchdog(over: pid, signal: command.stopSignal)
        } catch {
            gate.drop()
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            throw error
        }
        gate.release()

        // One blocked thread per child: pidfd_open(2) would do without, but Ubuntu 22.04's glibc does not have it.
        let thread = Thread { self.reap(watchdog) }
        thread.stackSize = 128 * 1024
        thread.name = "reaper \(pid)"
        thread.start()
    }

    private func reap(_ watchdog: Watchdog) {
        var info = siginfo_t()
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) == -1, errno == EINTR {}
        watchdog.dismiss()
        reaped.withLock { reaped in
            reaped = true
            // What it left behind in its group; until the next line the group's number cannot be used again.
            Foundation.kill(-pid, SIGKILL)
            while waitid(P_PID, id_t(pid), &info, WEXITED) == -1, errno == EINTR {}
        }
        exit.fulfill(ExitStatus(code: info.si_code, status: info._sifields._sigchld.si_status))
    }

    // MARK: Its end

    /// How it ended; nil while it runs.
    public var exitStatus: ExitStatus? { exit.value }

    /// Whether it has not ended.
    public var isRunning: Bool { exit.value == nil }

    /// Waits until it ends.
    /// - Throws: `CancellationError`.
    public func waitForExit() async throws -> ExitStatus {
        try await exit.wait()
    }

    /// Waits until it ends, at most this long; nil if it still runs.
    /// - Throws: `CancellationError`.
    public func waitForExit(timeout: Duration) async throws -> ExitStatus? {
        try await exit.wait(timeout: timeout)
    }

    /// Asks it to stop with its stop signal and waits; after `timeout` it is killed.
    /// - Throws: `CancellationError`; then it is killed, too.
    @discardableResult
    public func stop(timeout: Duration = .seconds(30)) async throws -> ExitStatus {
        terminate(signal: command.stopSignal)
        do {
            if let status = try await waitForExit(timeout: timeout) { return status }
        } catch {
            kill()
            throw error
        }
        kill()
        return try await waitForExit()
    }

    // MARK: Signals

    /// Sends one signal to the program, not to its children. Does nothing once it has ended.
    public func terminate(signal: Int32 = SIGTERM) {
        send(signal)
    }

    /// Ends it and all its descendants at once (`SIGKILL`), as a crash of the machine would.
    public func kill() {
        reaped.withLock { reaped in
            guard !reaped else { return }
            Foundation.kill(pid, SIGSTOP)
            for child in ProcessTree.descendants(of: pid) { Foundation.kill(child, SIGKILL) }
            Foundation.kill(pid, SIGKILL)
        }
    }

    /// Freezes it and all its descendants (`SIGSTOP`): the sockets stay open and nothing answers.
    public func pause() {
        reaped.withLock { reaped in
            guard !reaped else { return }
            Foundation.kill(pid, SIGSTOP)
            for child in ProcessTree.descendants(of: pid) { Foundation.kill(child, SIGSTOP) }
        }
    }

    /// Lets a paused one go on.
    public func resume() {
        reaped.withLock { reaped in
            guard !reaped else { return }
            for child in ProcessTree.descendants(of: pid) { Foundation.kill(child, SIGCONT) }
            Foundation.kill(pid, SIGCONT)
        }
    }

    private func send(_ signal: Int32) {
        reaped.withLock { reaped in
            guard !reaped else { return }
            _ = Foundation.kill(pid, signal)
        }
    }

    // MARK: Its output

    /// The last lines of its log.
    public func logTail(_ count: Int = 20) -> [String] {
        TextTail.lines(count, of: command.logFile)
    }
}

/// How a process ended.
public enum ExitStatus: Sendable, Equatable, CustomStringConvertible {
    /// It returned or called `exit` with this code, 0–255.
    case exited(Int32)
    /// This signal ended it.
    case signaled(Int32)

    public var description: String {
        switch self {
        case .exited(let code): "exited with \(code)"
        case .signaled(let signal): "was ended by signal \(signal)"
        }
    }

    /// From the `si_code` and `si_status` of `waitid(2)`.
    init(code: Int32, status: Int32) {
        self = code == Int32(CLD_EXITED) ? .exited(status) : .signaled(status)
    }
}

/// What children inherit of this process's environment.
public enum ChildEnvironment {
    /// Everything but `CHAT_…` and libpq's `PG…`: a setting of the person's shell must not leak into a private stack.
    public static var inherited: [String: String] {
        ProcessInfo.processInfo.environment.filter { key, _ in !key.hasPrefix("CHAT_") && !key.hasPrefix("PG") }
    }
}

extension LocalProcess {
    /// The soft limit of open files of the running program (`proc(5)`, `limits`).
    public func descriptorLimit() throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/limits", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("Max open files") }
        guard let line, let limit = line.split(separator: " ").dropFirst(3).first.flatMap({ Int($0) }) else {
            throw LocalStackError("/proc/\(pid)/limits cannot be read")
        }
        return limit
    }

    /// Sets the soft limit of open files of the running program, by `prlimit(1)`. What is open stays open.
    public func setDescriptorLimit(_ limit: Int) async throws {
        // prlimit(2) is hidden from Swift behind _GNU_SOURCE.
        guard let program = ExecutableSearch.inPath("prlimit") else {
            throw LocalStackError("prlimit (package util-linux) is not installed")
        }
        let status = try await LocalProcess(.init(program, ["--pid", String(pid), "--nofile=\(limit):"]))
            .waitForExit()
        guard status == .exited(0) else { throw LocalStackError("prlimit \(status)") }
    }
}
