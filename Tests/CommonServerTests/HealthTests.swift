import CommonUtil
import HTTPTypes
import Synchronization
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(1))) struct HealthTests {
    private func json(_ health: HealthRegistry) async -> String {
        String(decoding: await health.report().jsonBytes, as: UTF8.self)
    }

    @Test func `the worst check decides`() async {
        let health = HealthRegistry(interval: .zero)
        let redis = Mutex(HealthResult.ok)
        let postgres = Mutex(HealthResult.ok)
        // These checks return at once, and count as late only where the whole test is.
        health.register("postgres", deadline: .seconds(60)) { postgres.withLock { $0 } }
        health.register("redis", severity: .degraded, deadline: .seconds(60)) { redis.withLock { $0 } }
        #expect(
            await json(health)
                == #"{"status":"unavailable","checks":{"process":"starting","postgres":"ok","redis":"ok"}}"#)
        health.startServing()
        #expect(await json(health) == #"{"status":"ok","checks":{"postgres":"ok","redis":"ok"}}"#)
        redis.withLock { $0 = .failing("away") }
        #expect(await json(health) == #"{"status":"degraded","checks":{"postgres":"ok","redis":"away"}}"#)
        #expect(await health.report().httpStatus == .ok)
        postgres.withLock { $0 = .failing("away") }
        #expect(await json(health) == #"{"status":"unavailable","checks":{"postgres":"away","redis":"away"}}"#)
        postgres.withLock { $0 = .ok }
        health.startDraining()
        #expect(
            await json(health)
                == #"{"status":"unavailable","checks":{"process":"stopping","postgres":"ok","redis":"away"}}"#)
        // There is no way back.
        health.startServing()
        #expect(health.isDraining)
    }

    @Test func `a check that hangs has failed`() async {
        let health = HealthRegistry()
        health.startServing()
        // Heeds no cancellation; resumed after the report.
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        health.register("hangs", deadline: .milliseconds(20)) {
            await Task { for await _ in gate {} }.value
            return .ok
        }
        #expect(await json(health) == #"{"status":"unavailable","checks":{"hangs":"no answer in time"}}"#)
        open.finish()
    }

    @Test func `dependencies are checked once for many probes`() async {
        let health = HealthRegistry(interval: .seconds(3_600))
        health.startServing()
        let asked = Mutex(0)
        health.register("postgres", deadline: .seconds(60)) {
            asked.withLock { $0 += 1 }
            return .failing("away")
        }
        await withTaskGroup { group in
            for _ in 0..<100 {
                group.addTask {
                    #expect(await json(health) == #"{"status":"unavailable","checks":{"postgres":"away"}}"#)
                }
            }
        }
        #expect(asked.withLock { $0 } == 1)
        // The phase of the server is reported at once.
        health.startDraining()
        #expect(await json(health).contains(#""process":"stopping""#))
        #expect(asked.withLock { $0 } == 1)
    }
}
