import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import NIOCore

extension Routes {
    /// `/health/live` and `/health/ready`, which every process answers from its first moment on.
    mutating func addHealth(_ health: HealthRegistry) {
        onExactly("/health/live") { _, _ in Response(json: Alive()) }
        onExactly("/health/ready") { _, _ in
            let report = await health.report()
            var response = Response(json: report, status: report.httpStatus)
            if report.status == .unavailable { response.headers[.retryAfter] = "1" }
            return response
        }
    }

    /// `/metrics`, from the first moment on.
    mutating func addMetrics(_ metrics: PrometheusRegistry) {
        onExactly("/metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: PrometheusRegistry.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.text())))
        }
    }

    private mutating func onExactly(_ path: String, _ handler: @escaping Handler) {
        on(.get, path, waitsForStart: false, isExact: true, isRead: false, handler)
    }
}

/// The liveness body: `{"status": "ok", "version": …}`.
private struct Alive: JSONEncodable {
    func write(to writer: inout JSONWriter) {
        writer.object {
            $0.member("status", "ok")
            $0.member("version", ChatVersion.current)
        }
    }
}
