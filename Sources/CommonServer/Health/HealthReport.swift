import CommonUtil
import HTTPTypes

/// The readiness body: `{"status": …, "checks": {name: "ok" or a reason}}`.
public struct HealthReport: JSONEncodable {
    public enum Status: String, Sendable {
        case ok, degraded, unavailable
    }

    public let status: Status
    private let checks: [(name: String, result: HealthResult)]

    init(phase: HealthRegistry.Phase, checks: [(name: String, severity: HealthSeverity, result: HealthResult)]) {
        let failing = checks.filter { $0.result != .ok }
        let isUnavailable = phase != .serving || failing.contains { $0.severity == .unavailable }
        status = isUnavailable ? .unavailable : failing.isEmpty ? .ok : .degraded
        let process: [(String, HealthResult)] =
            switch phase {
            case .starting: [("process", .failing("starting"))]
            case .serving: []
            case .stopping: [("process", .failing("stopping"))]
            }
        self.checks = process + checks.map { ($0.name, $0.result) }
    }

    public var httpStatus: HTTPResponse.Status { status == .unavailable ? .serviceUnavailable : .ok }

    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("status", status.rawValue)
            writer.key("checks")
            writer.object { writer in
                for check in checks {
                    switch check.result {
                    case .ok: writer.member(check.name, "ok")
                    case .failing(let reason): writer.member(check.name, reason)
                    }
                }
            }
        }
    }
}
