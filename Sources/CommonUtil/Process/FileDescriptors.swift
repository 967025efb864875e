import Glibc

/// The file descriptors of this process, and their limit, `RLIMIT_NOFILE` (`getrlimit(2)`), which child processes inherit.
public enum FileDescriptors {
    /// Raises the soft limit to the hard one. The soft limit is low by default for programs that use `select(2)`.
    public static func raiseLimit() {
        guard var limits else { return }
        limits.rlim_cur = limits.rlim_max
        setrlimit(resource, &limits)
    }

    /// The present soft limit; `nil` if there is none. It can be changed while the process runs (`prlimit(1)`).
    public static var limit: Int? {
        limits.flatMap { $0.rlim_cur == rlim_t.max ? nil : Int(clamping: $0.rlim_cur) }
    }

    /// The open descriptors (`/proc/self/fd`).
    /// - Returns: `nil` if they cannot be read, for instance because no descriptor is left to do so.
    public static var open: [CInt]? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        let own = dirfd(folder)
        var descriptors: [CInt] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: name.pointee)) {
                    String(cString: $0)
                }
            }
            // `.` and `..` are no numbers.
            if let descriptor = CInt(name), descriptor != own { descriptors.append(descriptor) }
        }
        return descriptors
    }

    private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }

    private static var limits: rlimit? {
        var limits = rlimit()
        return getrlimit(resource, &limits) == 0 ? limits : nil
    }
}
