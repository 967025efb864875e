/// The right to do something that only one of several processes may do. It ends with its process, or if it was not
/// renewed for 5 s.
struct Lease: Sendable, Equatable {
    /// Lifetime of a lease that is not renewed.
    static let lifetimeMilliseconds: Int64 = 5000

    let process: Int32
    let start: Int64
    /// One client within the process.
    let instance: String
    var seenAt: Int64

    static func mine(instance: String) -> Lease {
        let process = System.processID
        return Lease(
            process: process, start: System.startTime(ofProcess: process) ?? 0, instance: instance,
            seenAt: System.wallClock)
    }

    init(process: Int32, start: Int64, instance: String, seenAt: Int64) {
        (self.process, self.start, self.instance, self.seenAt) = (process, start, instance, seenAt)
    }

    init?(json: JSONValue?) {
        guard let process = json?["process"]?.integer.flatMap({ Int32(exactly: $0) }),
            let start = json?["start"]?.integer, let instance = json?["instance"]?.string,
            let seenAt = json?["seenAt"]?.integer
        else { return nil }
        self.init(process: process, start: start, instance: instance, seenAt: seenAt)
    }

    var json: JSONObject {
        [
            "process": JSONValue(Int64(process)), "start": JSONValue(start), "instance": .string(instance),
            "seenAt": JSONValue(seenAt),
        ]
    }

    /// Whether a client other than `instance` holds it now.
    func isHeldByOther(than instance: String, now: Int64 = System.wallClock) -> Bool {
        self.instance != instance && (now &- seenAt).magnitude < UInt64(Self.lifetimeMilliseconds)
            && System.startTime(ofProcess: process) == start
    }
}
