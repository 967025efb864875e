import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import NIOCore

extension Routes {
    /// `/health/live`, `/health/ready` and `/metrics`: what every process answers, from its first moment on.
    mutating func addHealth(_ health: HealthRegistry, metrics: PrometheusRegistry) {
        func add(_ path: String, _ handler: @escaping Handler) {
            on(.get, path, waitsForStart: false, isExact: true, isRead: false, handler)
        }
        add("/health/live") { _, _ in Response(json: Alive()) }
        add("/health/ready") { _, _ in
            let report = await health.report()
            var response = Response(json: report, status: report.httpStatus)
            if report.status == .unavailable { response.headers[.retryAfter] = "1" }
            return response
        }
        add("/metrics") { _, _ in
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
