import Glibc

/// The limit of open files (`getrlimit(2)`), and so of connections, which children inherit.
public enum FileDescriptorLimit {
    /// Raises the soft limit to the hard one. The soft one is low for the sake of programs that use `select(2)`.
    public static func raise() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
