import Foundation

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

    /// Sends the line the shell waits for, then lets go. A shell that is already gone is no error.
    func release() {
        _ = send(ours, "\n", 1, Int32(MSG_NOSIGNAL))
        close(ours)
    }

    /// Lets go without a word, as the parent's death would.
    func drop() {
        close(ours)
    }
}
