import Foundation

/// `posix_spawn(3)` with what every child here needs: a process group of its own, default signal handling, standard
/// output and error in one file, and no descriptor of the parent but the three standard ones.
enum Spawn {
    /// Starts a program; `arguments` are those after its own name. The descriptor `input` becomes its standard input,
    /// `output` its standard output and error.
    static func start(
        _ executable: String, _ arguments: [String], environment: [String: String], input: Int32, output: Int32
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)
        for descriptor in openDescriptors where descriptor > STDERR_FILENO {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }

        // A parent that ignores or blocks a signal (as one that handles them by events does) would hand that on.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var all = sigset_t()
        sigfillset(&all)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        return try withCStrings([executable] + arguments) { argv in
            try withCStrings(environment.map { "\($0)=\($1)" }) { envp in
                var pid: pid_t = 0
                let result = posix_spawn(&pid, executable, &actions, &attributes, argv, envp)
                guard result == 0 else { throw LocalStackError.systemCall("Cannot start \(executable)", errno: result) }
                return pid
            }
        }
    }

    // Those that are not close-on-exec by themselves, such as some library's. (closefrom as a spawn action is hidden
    // from Swift behind _GNU_SOURCE.) One that is closed meanwhile is no error for posix_spawn.
    private static var openDescriptors: [Int32] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return entries.compactMap { Int32($0) }
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Result
    ) rethrows -> Result {
        let pointers = strings.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return try body(pointers + [nil])
    }
}

/// Finding installed programs.
public enum ExecutableSearch {
    /// The first executable of this name in the folders of `PATH`.
    public static func inPath(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }
}
