import CommonLogging
import CoreMetrics
import Testing

@Suite(.timeLimit(.minutes(2))) struct PrometheusRegistryTests {
    private let registry = PrometheusRegistry()

    @Test func countersAndGaugesAreSortedAndTyped() {
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
                # TYPE a_total counter
                a_total{a="0",b="2"} 1
                a_total{a="1",b="2"} 2
                # TYPE f_total counter
                f_total 0.25
                # TYPE g gauge
                g 1.5
                # TYPE m gauge
                m 7.5
                # TYPE z_total counter
                z_total 3

                """)
    }

    @Test func timersAreHistogramsOfSeconds() {
        let timer = Timer(label: "t_seconds", dimensions: [("route", "/x")], factory: registry)
        timer.recordNanoseconds(500_000)
        timer.recordNanoseconds(3_000_000)
        timer.recordMilliseconds(60_000)
        let text = registry.text()
        #expect(text.hasPrefix("# TYPE t_seconds histogram\nt_seconds_bucket{route=\"/x\",le=\"0.0005\"} 1\n"))
        #expect(text.contains("t_seconds_bucket{route=\"/x\",le=\"0.005\"} 2\n"))
        #expect(text.contains("t_seconds_bucket{route=\"/x\",le=\"10\"} 2\n"))
        #expect(text.contains("t_seconds_bucket{route=\"/x\",le=\"+Inf\"} 3\n"))
        #expect(text.hasSuffix("t_seconds_sum{route=\"/x\"} 60.0035\nt_seconds_count{route=\"/x\"} 3\n"))
    }

    @Test func recordersTakeTheBucketsOfTheirName() {
        let recorder = Recorder(label: "batch_size", factory: registry)
        for value in [1, 1_000, 1_001] { recorder.record(value) }
        recorder.record(Double.nan)
        let text = registry.text()
        #expect(text.contains("batch_size_bucket{le=\"1\"} 1\n") && text.contains("batch_size_bucket{le=\"1000\"} 2\n"))
        #expect(text.hasSuffix("batch_size_sum 2002\nbatch_size_count 3\n"))
    }

    @Test func namesAndValuesAreEscaped() {
        Counter(label: "1 odd-näme", dimensions: [("läbel:x", "a\"b\\c\nd")], factory: registry).increment()
        #expect(registry.text().hasSuffix("_1_odd_n_me{l_bel_x=\"a\\\"b\\\\c\\nd\"} 1\n"))
    }

    @Test func handlesOfOneSeriesAreOneAndCanGo() {
        let first = Counter(label: "c_total", factory: registry)
        let second = Counter(label: "c_total", factory: registry)
        first.increment()
        second.increment()
        #expect(registry.text().hasSuffix("c_total 2\n"))
        first.destroy()
        #expect(registry.text().isEmpty)
    }

    @Test func aNameOfAnotherKindIsNotShown() {
        Counter(label: "x", factory: registry).increment()
        Gauge(label: "x", factory: registry).record(5)
        #expect(registry.text() == "# TYPE x counter\nx 1\n")
    }

    @Test func labelSetsAreBounded() {
        for index in 0..<(PrometheusRegistry.maximumSeriesPerMetric + 10) {
            Counter(label: "c_total", dimensions: [("i", String(index))], factory: registry).increment()
        }
        #expect(registry.text().split(separator: "\n").count == PrometheusRegistry.maximumSeriesPerMetric + 1)
    }

    @Test func countsFromManyTasksAddUp() async {
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

    @Test func bootstrapGivesTheSameRegistry() {
        let registry = PrometheusRegistry.bootstrap()
        #expect(registry === PrometheusRegistry.bootstrap())
        Counter(label: "process_wide_total").increment()
        #expect(registry.text().contains("process_wide_total 1\n"))
    }
}
