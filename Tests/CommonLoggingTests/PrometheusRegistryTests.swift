import CoreMetrics
import Foundation
import Testing

@testable import CommonLogging

@Suite(.timeLimit(.minutes(2))) struct PrometheusRegistryTests {
    private let registry = PrometheusRegistry()

    @Test func `counters and gauges are sorted and typed`() {
        Counter(label: "z_total", factory: registry).increment(by: 3)
        Counter(label: "a_total", dimensions: [("b", "2"), ("a", "1")], factory: registry).increment()
        Counter(label: "a_total", dimensions: [("a", "1"), ("b", "2")], factory: registry).increment()
        Counter(label: "a_total", dimensions: [("a", "0"), ("b", "2")], factory: registry).increment()
        Gauge(label: "g", factory: registry).record(1.5)
        let meter = Meter(label: "m", factory: registry)
        meter.set(10)
        meter.decrement(by: 2.5)
        FloatingPointCounter(label: "f_total", factory: registry).increment(by: 0.25)
        #expect(
            registry.text() == """
                # HELP a_total a total
                # TYPE a_total counter
                a_total{a="0",b="2"} 1
                a_total{a="1",b="2"} 2
                # HELP f_total f total
                # TYPE f_total counter
                f_total 0.25
                # HELP g g
                # TYPE g gauge
                g 1.5
                # HELP m m
                # TYPE m gauge
                m 7.5
                # HELP z_total z total
                # TYPE z_total counter
                z_total 3

                """)
    }

    @Test func `timers are histograms of seconds`() {
        let timer = Timer(label: "t_seconds", dimensions: [("route", "/x")], factory: registry)
        timer.recordNanoseconds(500_000)
        timer.recordNanoseconds(3_000_000)
        timer.recordMilliseconds(60_000)
        let text = registry.text()
        #expect(
            text.hasPrefix(
                "# HELP t_seconds t seconds\n# TYPE t_seconds histogram\nt_seconds_bucket{route=\"/x\",le=\"0.0005\"} 1\n"
            ))
        #expect(text.contains("t_seconds_bucket{route=\"/x\",le=\"0.005\"} 2\n"))
        #expect(text.contains("t_seconds_bucket{route=\"/x\",le=\"10\"} 2\n"))
        #expect(text.contains("t_seconds_bucket{route=\"/x\",le=\"+Inf\"} 3\n"))
        #expect(text.hasSuffix("t_seconds_sum{route=\"/x\"} 60.0035\nt_seconds_count{route=\"/x\"} 3\n"))
    }

    @Test func `recorders have the buckets of their name`() {
        let recorder = Recorder(label: "batch_size", factory: registry)
        for value in [1, 1_000, 1_001] { recorder.record(value) }
        recorder.record(Double.nan)
        let text = registry.text()
        #expect(text.contains("batch_size_bucket{le=\"1\"} 1\n") && text.contains("batch_size_bucket{le=\"1000\"} 2\n"))
        #expect(text.hasSuffix("batch_size_sum 2002\nbatch_size_count 3\n"))
    }

    @Test func `names and values are escaped`() {
        Counter(label: "1 odd-näme", dimensions: [("läbel:x", "a\"b\\c\nd")], factory: registry).increment()
        #expect(registry.text().hasSuffix("_1_odd_n_me{l_bel_x=\"a\\\"b\\\\c\\nd\"} 1\n"))
    }

    @Test func `handlers of one series are one and can be removed`() {
        let first = Counter(label: "c_total", factory: registry)
        let second = Counter(label: "c_total", factory: registry)
        first.increment()
        second.increment()
        #expect(registry.text().hasSuffix("c_total 2\n"))
        first.destroy()
        #expect(registry.text().isEmpty)
    }

    @Test func `a name of another kind is not shown`() {
        Counter(label: "x", factory: registry).increment()
        Gauge(label: "x", factory: registry).record(5)
        #expect(registry.text() == "# HELP x x\n# TYPE x counter\nx 1\n")
    }

    @Test func `label sets are bounded`() {
        for index in 0..<(PrometheusRegistry.maximumSeriesPerMetric + 10) {
            Counter(label: "c_total", dimensions: [("i", String(index))], factory: registry).increment()
        }
        #expect(registry.text().split(separator: "\n").count == PrometheusRegistry.maximumSeriesPerMetric + 2)
    }

    @Test func `counts from many tasks add up`() async {
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    let counter = Counter(label: "c_total", factory: registry)
                    let timer = Timer(label: "t_seconds", factory: registry)
                    for _ in 0..<1_000 {
                        counter.increment()
                        timer.recordNanoseconds(1)
                    }
                }
            }
        }
        #expect(registry.text().contains("c_total 8000\n") && registry.text().contains("t_seconds_count 8000\n"))
    }

    @Test func `bootstrap returns the same registry`() {
        let registry = PrometheusRegistry.bootstrap()
        #expect(registry === PrometheusRegistry.bootstrap())
        Counter(label: "process_wide_total").increment()
        #expect(registry.text().contains("process_wide_total 1\n"))
    }

    @Test func `the process is measured`() throws {
        let before = try processorSeconds()
        // Something to measure: the kernel counts hundredths of a second.
        var sum = 0.0
        while try processorSeconds() == before { sum += Double.random(in: 0...1) }
        #expect(sum >= 0)
        let text = PrometheusRegistry.bootstrap().text()
        for name in ["resident_memory_bytes", "virtual_memory_bytes", "open_fds", "max_fds"] {
            #expect(try value("process_\(name)", in: text) > 0, "\(name)")
        }
        let now = Double(time(nil))
        let start = try value("process_start_time_seconds", in: text)
        #expect(start > now - 86_400 && start <= now + 1)
    }

    private func processorSeconds() throws -> Double {
        try value("process_cpu_seconds_total", in: PrometheusRegistry.bootstrap().text())
    }

    private func value(_ name: String, in text: String) throws -> Double {
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name + " ") }, "\(name) is not there")
        return try #require(Double(line.dropFirst(name.count + 1)))
    }

    @Test func `a program can have any name`() {
        let fields = (3...24).map(String.init).joined(separator: " ")
        let stat = ProcessStat(text: "7 (a) b (c) \(fields) 25 26\n")
        #expect(stat == ProcessStat(text: "7 (x) \(fields)"))
        #expect(stat?.userTicks == 14 && stat?.systemTicks == 15 && stat?.startTicks == 22)
        #expect(stat?.virtualBytes == 23 && stat?.residentPages == 24)
        #expect(ProcessStat(text: "") == nil && ProcessStat(text: "7 (x) S 1 2") == nil)
    }

    @Test func `a second client is described as the first`() {
        Counter(label: "chat_other_redis_commands_total", factory: registry).increment()
        #expect(registry.text().hasPrefix("# HELP chat_other_redis_commands_total Commands sent to Redis.\n"))
    }

    /// A metric that is counted somewhere and not described here would be shown with a text made of its name.
    @Test func `every metric is described`() throws {
        // …/Tests/CommonLoggingTests/PrometheusRegistryTests.swift
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Sources")
        let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
        var found: Set<String> = []
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            found.formUnion(text.matches(of: /label: "((?:chat|http)_[a-z_]+)"/).map { String($0.output.1) })
        }
        #expect(found.count > 15)
        #expect(found.subtracting(MetricCatalog.help.keys) == [])
    }
}
