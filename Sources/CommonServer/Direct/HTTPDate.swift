import Glibc
import Synchronization

/// The `Date` of an answer (RFC 9110 section 6.6.1), written anew once a second.
final class HTTPDate: Sendable {
    private let cached = Mutex((second: time_t(-1), text: ""))

    var text: String {
        var now = time(nil)
        return cached.withLock { cached in
            if cached.second != now { cached = (now, Self.format(&now)) }
            return cached.text
        }
    }

    /// IMF-fixdate (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`. The process never leaves the C locale.
    static func format(_ time: inout time_t) -> String {
        var parts = tm()
        gmtime_r(&time, &parts)
        return String(unsafeUninitializedCapacity: 32) { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                strftime($0.baseAddress, $0.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
            }
        }
    }
}
