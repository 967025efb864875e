import Glibc

/// The calling thread's share of a busy processor: on Linux niceness is a thread's own (`sched(7)`, `setpriority(2)`).
enum ThreadPriority {
    /// With 15 a thread gets about a thirtieth of what an ordinary one gets, and all that nobody else wants.
    private static let niceness: CInt = 15

    /// For work that may wait. Where the whole process stands further back already nothing changes.
    static func lowerPriority() {
        guard getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) < niceness else { return }
        // Lowering one's own priority is always allowed; were it not, the work would be done all the same.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
    }
}
