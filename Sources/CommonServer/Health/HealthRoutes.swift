import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import NIOCore

extension Routes {
    /// `/health/live`, `/health/ready` and `/metrics`: what every process answers, from its first moment on.
    mutating func addHealth(_ health: HealthRegistry, metrics: PrometheusRegistry) {
        on(.get, "/health/live", waitsForStart: false, isExact: true) { _, _ in Response(json: Alive()) }
        on(.get, "/health/ready", waitsForStart: false, isExact: true) { _, _ in
            let report = await health.report()
            var response = Response(json: report, status: report.httpStatus)
            if report.status == .unavailable { response.headers[.retryAfter] = "1" }
            return response
        }
        on(.get, "/metrics", waitsForStart: false, isExact: true) { _, _ in
            Response(
                status: .ok, headers: [.contentType: PrometheusRegistry.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.text())))
        }
    }
}

private struct Alive: JSONEncodable {
    func write(to writer: inout JSONWriter) {
        writer.object { $0.member("status", "ok") }
    }
}
