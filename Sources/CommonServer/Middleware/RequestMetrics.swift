import CommonLogging
import CommonUtil
import CoreMetrics
import HTTPTypes
import Synchronization

/// `http_server_request_duration_seconds`, by method, route template and status: all of few values, whatever is asked.
final class RequestMetrics: Sendable {
    private struct Key: Hashable {
        let method: String
        let route: String
        let status: Int
    }

    private let factory: any MetricsFactory
    private let routes: Set<String>
    private let timers = Mutex(Timers())

    private struct Asked: Equatable {
        let method: String
        let route: String?
        let status: Int
    }

    private struct Timers {
        var all: [Key: CoreMetrics.Timer] = [:]
        /// A busy server is asked for the same again and again, and strings that are the same object are compared at once.
        var last: (asked: Asked, timer: CoreMetrics.Timer)?
    }

    /// `routes` are the templates that are told apart; all else is `none`.
    init(factory: any MetricsFactory, routes: Set<String>) {
        self.factory = factory
        self.routes = routes
    }

    func record(method: HTTPRequest.Method, route: String?, status: HTTPResponse.Status, duration: Duration) {
        let asked = Asked(method: method.rawValue, route: route, status: status.code)
        let timer = timers.withLock { timers in
            if let last = timers.last, last.asked == asked { return last.timer }
            let timer = self.timer(of: asked, in: &timers.all)
            timers.last = (asked, timer)
            return timer
        }
        let (seconds, attoseconds) = duration.components
        timer.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    private func timer(of asked: Asked, in timers: inout [Key: CoreMetrics.Timer]) -> CoreMetrics.Timer {
        let key = Key(
            method: RequestLog.shown(method: asked.method),
            route: asked.route.flatMap { routes.contains($0) ? $0 : nil } ?? "none", status: asked.status)
        if let timer = timers[key] { return timer }
        let timer = CoreMetrics.Timer(
            label: "http_server_request_duration_seconds",
            dimensions: [("method", key.method), ("route", key.route), ("status", String(key.status))],
            factory: factory)
        timers[key] = timer
        return timer
    }
}
