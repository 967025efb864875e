import Testing

@testable import CommonLogging

@Suite(.timeLimit(.minutes(2))) struct RefusalSamplerTests {
    private let start = ContinuousClock.now
    private let kind = RefusalSampler.Kind(method: "POST", route: "/a", status: 400)
    private let other = RefusalSampler.Kind(method: "POST", route: "/a", status: 401)

    @Test func `the first few of each kind are written and the others counted`() throws {
        var sampler = RefusalSampler(linesPerWindow: 3)
        let written = (0..<10).map { _ in sampler.admits(kind, now: start) }
        #expect(written == [true, true, true] + Array(repeating: false, count: 7))
        let isOtherWritten = sampler.admits(other, now: start)
        #expect(isOtherWritten)
        #expect(sampler.nextEnd == start + .seconds(1))
        let early = sampler.close(now: start + .milliseconds(999))
        #expect(early.isEmpty)
        let rest = sampler.close(now: start + .seconds(1))
        #expect(rest.count == 1 && rest.first?.kind == kind && rest.first?.count == 7)
        #expect(sampler.nextEnd == nil)
    }

    @Test func `another second has lines of its own`() {
        var sampler = RefusalSampler(linesPerWindow: 1)
        var written = (0..<2).map { _ in sampler.admits(kind, now: start) }
        _ = sampler.close(now: start + .seconds(1))
        written.append(sampler.admits(kind, now: start + .seconds(1)))
        #expect(written == [true, false, true])
        #expect(sampler.nextEnd == start + .seconds(2))
    }

    @Test func `the kinds are bounded`() {
        var sampler = RefusalSampler(linesPerWindow: 1)
        let written = (0..<10_000).count { number in
            sampler.admits(.init(method: "GET", route: "/\(number)", status: 404), now: start)
        }
        #expect(written == RefusalSampler.maximumKinds + 1)
        let rest = sampler.close(now: start + .seconds(1))
        #expect(rest.map(\.count) == [10_000 - written])
    }
}
