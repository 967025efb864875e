import Glibc

/// The limit of open files of the process, `RLIMIT_NOFILE` (`getrlimit(2)`), which child processes inherit.
public enum FileDescriptorLimit {
    /// Raises the soft limit to the hard one. The soft limit is low by default for programs that use `select(2)`.
    public static func raise() {
        guard var limit else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(resource, &limit)
    }

    /// The present soft limit. It can be changed while the process runs (`prlimit(1)`).
    public static var current: Int { limit.map { Int(clamping: $0.rlim_cur) } ?? .max }

    private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }

    private static var limit: rlimit? {
        var limit = rlimit()
        return getrlimit(resource, &limit) == 0 ? limit : nil
    }
}
