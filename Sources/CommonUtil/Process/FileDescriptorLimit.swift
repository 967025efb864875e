import Glibc

/// The limit of open files (`getrlimit(2)`), and so of connections, which children inherit.
public enum FileDescriptorLimit {
    /// Raises the soft limit to the hard one. The soft one is low for the sake of programs that use `select(2)`.
    public static func raise() {
        guard var limit else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(resource, &limit)
    }

    /// The limit as it is now: an operator can change that of a running process (`prlimit(1)`).
    public static var current: Int { limit.map { Int(clamping: $0.rlim_cur) } ?? .max }

    private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }

    private static var limit: rlimit? {
        var limit = rlimit()
        return getrlimit(resource, &limit) == 0 ? limit : nil
    }
}
