#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The clocks and processes of the system.
enum System {
    /// Milliseconds since 1970.
    static var wallClock: Int64 { clock(CLOCK_REALTIME) }

    /// Milliseconds of a clock that never goes back and stops while the machine sleeps.
    static var monotonicClock: Int64 {
        #if canImport(Darwin)
            // On Darwin `CLOCK_MONOTONIC` continues during sleep.
            return clock(CLOCK_UPTIME_RAW)
        #else
            return clock(CLOCK_MONOTONIC)
        #endif
    }

    static var processID: Int32 { getpid() }

    /// The start time of a process, which distinguishes two of the same id; `nil` if the process has ended.
    ///
    /// If the system does not report it, the start is 0 for every running process.
    static func startTime(ofProcess id: Int32) -> Int64? {
        guard kill(id, 0) == 0 || errno == EPERM else { return nil }
        #if os(Linux)
            guard let bytes = try? FileSystem.read("/proc/\(id)/stat") else { return 0 }
            // The second field, the name in brackets, may hold anything, brackets and spaces too.
            let text = String(decoding: bytes, as: UTF8.self)
            guard let end = text.lastIndex(of: ")") else { return 0 }
            let fields = text[text.index(after: end)...].split(separator: " ")
            // A zombie has ended; only its parent has not noticed.
            guard let state = fields.first, state != "Z", state != "X" else { return nil }
            return fields.count > 19 ? Int64(fields[19]) ?? 0 : 0
        #else
            return 0
        #endif
    }

    private static func clock(_ id: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(id, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
