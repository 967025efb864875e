import CommonUtil
import Glibc

/// The metrics of the process itself, read from the kernel on each scrape. Names and meanings are those of Prometheus'
/// client libraries.
struct ProcessMetrics: Sendable {
    /// One metric without labels.
    struct Sample: Equatable {
        let name: String
        let isCounter: Bool
        let value: Double
    }

    private let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
    private let pageBytes = Double(sysconf(Int32(_SC_PAGESIZE)))

    /// Reads all metrics. Those that cannot be read are left out.
    func samples() -> [Sample] {
        var samples: [Sample] = []
        func add(_ name: String, isCounter: Bool = false, _ value: Double?) {
            if let value { samples.append(Sample(name: name, isCounter: isCounter, value: value)) }
        }
        let stat = ProcessStat(text: Self.text(of: "/proc/self/stat"))
        add(
            "process_cpu_seconds_total", isCounter: true,
            stat.map { Double($0.userTicks + $0.systemTicks) / ticksPerSecond })
        add("process_max_fds", FileDescriptors.limit.map(Double.init))
        add("process_open_fds", FileDescriptors.open.map { Double($0.count) })
        add("process_resident_memory_bytes", stat.map { Double($0.residentPages) * pageBytes })
        add("process_start_time_seconds", startTime(stat))
        add("process_virtual_memory_bytes", stat.map { Double($0.virtualBytes) })
        return samples
    }

    private func startTime(_ stat: ProcessStat?) -> Double? {
        guard let stat,
            let boot = Self.text(of: "/proc/stat").split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let bootTime = Double(boot.dropFirst("btime ".count))
        else { return nil }
        return bootTime + Double(stat.startTicks) / ticksPerSecond
    }

    /// A file of `/proc`; empty where it cannot be read, for instance because no descriptor is left.
    private static func text(of path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1_024)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
    }
}

/// The fields of `/proc/PID/stat` that the metrics need (`proc(5)`).
struct ProcessStat: Equatable {
    /// Processor time in user mode, in clock ticks.
    let userTicks: Int
    /// Processor time in the kernel, in clock ticks.
    let systemTicks: Int
    /// Start of the process, in clock ticks after the boot.
    let startTicks: Int
    let virtualBytes: Int
    let residentPages: Int

    init?(text: String) {
        // The second field is the program's name in parentheses, which can contain spaces and parentheses itself.
        guard let nameEnd = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: nameEnd)...].split(separator: " ")
        // The first of these is field 3.
        func field(_ number: Int) -> Int? { fields.count > number - 3 ? Int(fields[number - 3]) : nil }
        guard let userTicks = field(14), let systemTicks = field(15), let startTicks = field(22),
            let virtualBytes = field(23), let residentPages = field(24)
        else { return nil }
        self.userTicks = userTicks
        self.systemTicks = systemTicks
        self.startTicks = startTicks
        self.virtualBytes = virtualBytes
        self.residentPages = residentPages
    }
}
