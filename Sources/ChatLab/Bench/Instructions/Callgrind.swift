import ChatLocalStack
import Foundation

/// `valgrind --tool=callgrind` around our servers: it counts instructions, which, unlike time, do not depend on what else
/// the machine does.
struct Callgrind: Sendable {
    /// The folder of the copies of the servers that valgrind can read, for `LocalStack`.
    let buildFolder: String
    private let folder: String
    private let vgdb: String
    private let valgrind: String

    /// Copies the servers to a folder of its own.
    /// - Throws: `LocalStackError` if a program is missing.
    init(folder: String) async throws {
        self.folder = folder
        buildFolder = "\(folder)/bin"
        valgrind = try Self.find("valgrind", "apt-get install valgrind")
        vgdb = try Self.find("vgdb", "apt-get install valgrind")
        try PrivateFolder.create(buildFolder, mode: 0o755)
        // Valgrind 3.19 gives up on the debug information of Swift's compiler, which it does not need for counting.
        let strip = try Self.find("strip", "apt-get install binutils")
        for kind in ServerKind.allCases {
            try await Self.run(
                strip, "--strip-debug", "-o", "\(buildFolder)/\(kind.rawValue)",
                "\(BuildFolder.current)/\(kind.rawValue)")
        }
        let source = "\(folder)/sigsuspend.c"
        try Data(Self.shim.utf8).write(to: URL(fileURLWithPath: source))
        try await Self.run(
            try Self.find("clang", "it is part of Swift"), "-shared", "-fPIC", "-o", "\(folder)/sigsuspend.so", source)
    }

    /// The launcher of a server of this kind. Only ``count(_:_:while:)`` counts, so the rest runs fast.
    func launcher(_ kind: ServerKind) -> [String] {
        [
            valgrind, "--tool=callgrind", "--instr-atstart=no", "--vgdb=yes",
            "--callgrind-out-file=\(folder)/\(kind.rawValue)",
        ]
    }

    var environment: [String: String] { ["LD_PRELOAD": "\(folder)/sigsuspend.so"] }

    /// How many instructions a server runs, in all its threads, while something is done.
    /// - Parameter pid: the server's, which is valgrind's, too.
    func count(_ kind: ServerKind, _ pid: pid_t, while work: () async throws -> Void) async throws -> Int {
        let before = try dumps(of: kind)
        try await Self.run(vgdb, "--pid=\(pid)", "instrumentation", "on")
        try await work()
        // This also sets the count to zero.
        try await Self.run(vgdb, "--pid=\(pid)", "dump")
        try await Self.run(vgdb, "--pid=\(pid)", "instrumentation", "off")
        guard let dump = try dumps(of: kind).subtracting(before).first else {
            throw LocalStackError("callgrind wrote nothing")
        }
        defer { unlink("\(folder)/\(dump)") }
        return try Self.total(in: try String(contentsOfFile: "\(folder)/\(dump)", encoding: .utf8))
    }

    /// The line `totals:` of callgrind's output (valgrind's manual, "Callgrind Format Specification").
    static func total(in output: String) throws -> Int {
        let line = output.split(separator: "\n").last { $0.hasPrefix("totals: ") }
        guard let line, let total = Int(line.dropFirst(8)) else {
            throw LocalStackError("callgrind's output has no totals")
        }
        return total
    }

    private func dumps(of kind: ServerKind) throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix("\(kind.rawValue).") })
    }

    // MARK: Programs

    private static func find(_ name: String, _ remedy: String) throws -> String {
        guard let path = ExecutableSearch.inPath(name) else {
            throw LocalStackError("\(name) is not installed (\(remedy)); counting instructions needs it")
        }
        return path
    }

    private static func run(_ program: String, _ arguments: String...) async throws {
        let log = "\(NSTemporaryDirectory())/chat-\(UUID().uuidString)"
        defer { unlink(log) }
        let process = try LocalProcess(.init(program, arguments, logFile: log))
        let status = try await process.waitForExit(timeout: .seconds(60))
        guard status == .exited(0) else {
            process.kill()
            throw LocalStackError(
                "\(program) \(status.map { "\($0)" } ?? "does not end"): "
                    + process.logTail().joined(separator: "\n  "))
        }
    }

    /// Dispatch waits in sigsuspend(2) with a mask in read-only memory; valgrind 3.19 writes to it and crashes.
    private static let shim = """
        #define _GNU_SOURCE
        #include <signal.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        int sigsuspend(const sigset_t *mask) {
            sigset_t copy = *mask;
            return syscall(SYS_rt_sigsuspend, &copy, 8);
        }

        """
}
