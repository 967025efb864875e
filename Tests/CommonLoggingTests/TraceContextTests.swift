import CommonLogging
import Testing

@Suite(.timeLimit(.minutes(2))) struct TraceContextTests {
    private let traceID = "0af7651916cd43dd8448eb211c80319c"
    private let spanID = "b7ad6b7169203331"

    @Test func `the caller's trace is continued`() {
        let trace = TraceContext(traceparent: "00-\(traceID)-\(spanID)-01")
        #expect(trace.traceID == traceID)
        #expect(trace.spanID != spanID)
    }

    @Test(arguments: ["", "-", "-what-the-future-will-bring"])
    func `later versions are accepted`(rest: String) {
        let trace = TraceContext(traceparent: "cc-\(traceID)-\(spanID)-01\(rest)")
        #expect(trace.traceID == traceID)
    }

    @Test(arguments: [
        nil, "", "00", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-011",
        "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
    ])
    func `a trace begins where the header has none`(header: String?) {
        let trace = TraceContext(traceparent: header)
        #expect(trace.traceID != traceID && trace.traceID.utf8.count == 32 && trace.spanID.utf8.count == 16)
        // The ids of a new trace are valid in a header.
        let header = "00-\(trace.traceID)-\(trace.spanID)-01"
        #expect(TraceContext(traceparent: header).traceID == trace.traceID)
    }
}
