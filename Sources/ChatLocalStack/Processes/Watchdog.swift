import Foundation

/// A small shell beside each child that outlives this process just long enough to end the child.
///
/// It blocks on its leash. A line means the child has ended and the watchdog is dismissed; the end of file means that
/// the parent is gone: the child is asked to stop, and 10 s later its whole process group is killed.
struct Watchdog {
    private let pid: pid_t
    private let leash: Leash

    // A stopped process runs no signal handler, so it and its children are woken first. Children are listed
    // because some, PostgreSQL's among them, lead process groups of their own.
    private static let script = #"""
        trap '' HUP INT TERM
        read -r dismissed && exit 0
        read -r children <"/proc/$1/task/$1/children"
        kill -s CONT "$1" $children
        kill -s "$2" "$1"
        tries=0
        while kill -s 0 "$1" && [ "$tries" -lt 100 ]; do
            sleep 0.1
            tries=$((tries + 1))
        done
        kill -s KILL -- "-$1"
        """#

    /// Starts watching over `child`; `signal` is the one that makes it stop gracefully.
    init(over child: pid_t, signal: Int32) throws {
        leash = try Leash()
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        do {
            pid = try Spawn.start(
                "/bin/sh", ["-c", Self.script, "chat-watchdog", String(child), String(signal)],
                environment: ["PATH": "/usr/bin:/bin"], input: leash.theirs, output: null)
        } catch {
            leash.closeTheirs()
            leash.drop()
            throw error
        }
        leash.closeTheirs()
    }

    /// Ends the watchdog. To be called while the child is still a zombie, so that its pid cannot be another's yet.
    func dismiss() {
        leash.release()
        var status: Int32 = 0
        while waitpid(pid, &status, 0) == -1, errno == EINTR {}
    }
}

/// The parent's end of a connected pair of sockets whose other end is the standard input of a shell that waits for
/// one line. When the parent dies, however it dies, the kernel closes this end and the shell reads the end of file.
///
/// This is how a child is kept from surviving its parent. `PR_SET_PDEATHSIG` is no way: it fires when the *thread*
/// that forked ends, and threads of a pool do. A socket, unlike a pipe, can be written without a `SIGPIPE`.
struct Leash {
    private let ours: Int32
    /// For the child's standard input; closed by `closeTheirs()` once the child has it.
    let theirs: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw LocalStackError.systemCall("socketpair", errno: errno)
        }
        (ours, theirs) = (ends[0], ends[1])
    }

    func closeTheirs() {
        close(theirs)
    }

    /// Sends the line that the shell waits for, and closes the parent's end. A shell that has ended is no error.
    func release() {
        _ = send(ours, "\n", 1, Int32(MSG_NOSIGNAL))
        close(ours)
    }

    /// Closes the parent's end without a line, as its death would.
    func drop() {
        close(ours)
    }
}
