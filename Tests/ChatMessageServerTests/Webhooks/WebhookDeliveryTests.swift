import ChatStorage
import ChatTestSupport
import CommonUtil
import PostgresClient
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(2))) struct WebhookDeliveryTests {
    @Test func `events are delivered in order, a hundred at a time, and signed`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.talk(250)
            let secret = [UInt8](repeating: 3, count: 24)
            let receivers = Receivers { _, _ in ChangeFixture.ok }
            let id = try await fixture.webhook()
            _ = try await fixture.webhooks.update(id, .init(secret: secret))
            try await ChangeFixture.running([fixture.dispatcher(receivers)]) {
                let requests = try await receivers.requests.first(3)
                #expect(requests.map(\.names.count) == [100, 100, 51])
                #expect(requests.flatMap(\.names) == (0...250).map { "a/\($0)" })
                #expect(Set(requests.map(\.deliveryID)).count == 3)
                for request in requests {
                    let seconds = try #require(request.headers["webhook-timestamp"].flatMap { Int64($0) })
                    let signatures = (request.headers["webhook-signature"] ?? "").split(separator: " ")
                    // The former secret signs, too.
                    #expect(signatures.count == 2)
                    #expect(
                        String(signatures.first ?? "")
                            == WebhookSecret.signature(
                                of: request.body, id: request.deliveryID, seconds: seconds, secrets: [secret]))
                    #expect(request.json["type"] == "chat.changes")
                    #expect(request.json["webhookId"] == .string(id))
                    #expect(request.json["deliveryId"] == .string(request.deliveryID))
                }
                try await fixture.post("more", in: "a")
                try await fixture.append()
                #expect(try await receivers.requests.first(4)[3].names == ["a/251"])
                let head = try await fixture.repository.bounds().head
                let webhook = try await fixture.wait(id) { $0.cursor == head }
                #expect(webhook.state == .active && webhook.lastError == nil && webhook.lastAttemptAt != nil)
                let attempts = try await fixture.webhooks.attempts(of: id)
                #expect(attempts.map(\.items) == [1, 51, 100, 100])
                #expect(attempts.allSatisfy { $0.status == 200 && $0.error == nil })
            }
        }
    }

    @Test func `while the server drains events are still delivered`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.talk(1)
            let receivers = Receivers { _, _ in ChangeFixture.ok }
            _ = try await fixture.webhook()
            try await ChangeFixture.running([fixture.dispatcher(receivers)]) {
                #expect(try await receivers.requests.first(1)[0].names == ["a/0", "a/1"])
                await fixture.watch.drain()
                for number in 2...3 {
                    try await fixture.post("\(number)", in: "a")
                    try await fixture.append()
                    #expect(try await receivers.requests.first(number)[number - 1].names == ["a/\(number)"])
                }
            }
        }
    }

    @Test func `what is changed while events are waited for counts for the next delivery`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.talk(1)
            let receivers = Receivers { _, _ in ChangeFixture.ok }
            let id = try await fixture.webhook()
            try await ChangeFixture.running([fixture.dispatcher(receivers)]) {
                for number in 1...3 {
                    try await receivers.requests.first(number)
                    let head = try await fixture.repository.bounds().head
                    _ = try await fixture.wait(id) { $0.cursor == head }
                    let secret = [UInt8](repeating: UInt8(number), count: 24)
                    let url = "https://1.1.1.1/\(number)"
                    _ = try await fixture.webhooks.update(id, .init(url: url, secret: secret))
                    try await fixture.post("\(number)", in: "a")
                    try await fixture.append()
                    let request = try await receivers.requests.first(number + 1)[number]
                    let seconds = try #require(request.headers["webhook-timestamp"].flatMap { Int64($0) })
                    let signature = WebhookSecret.signature(
                        of: request.body, id: request.deliveryID, seconds: seconds, secrets: [secret])
                    #expect(request.headers["webhook-signature"]?.hasPrefix(signature) == true)
                    #expect(request.url == "https://1.1.1.1:443/\(number)")
                }
            }
        }
    }

    @Test func `a failed delivery is repeated as it was, before anything else`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.talk(2)
            let receivers = Receivers { _, before in
                before < 2 ? .status(500, retryAfter: nil) : ChangeFixture.ok
            }
            let id = try await fixture.webhook()
            try await ChangeFixture.running([fixture.dispatcher(receivers)]) {
                _ = try await receivers.requests.first(1)
                let failing = try await fixture.wait(id) { $0.state != .active }
                #expect(failing.state == .failing && failing.lastError == "answered 500")
                // It comes later, so it is in another delivery.
                try await fixture.post("3", in: "a")
                try await fixture.append()
                let requests = try await receivers.requests.first(4)
                #expect(
                    requests.map(\.names) == [
                        ["a/0", "a/1", "a/2"], ["a/0", "a/1", "a/2"], ["a/0", "a/1", "a/2"], ["a/3"],
                    ])
                #expect(Set(requests.prefix(3).map(\.deliveryID)).count == 1)
                #expect(requests[3].deliveryID != requests[0].deliveryID)
                _ = try await fixture.wait(id) { $0.state == .active }
            }
        }
    }

    @Test func `another server repeats a delivery under the same id`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.talk(2)
            let refusing = Receivers { _, _ in .failed("no") }
            let id = try await fixture.webhook()
            try await ChangeFixture.running([fixture.dispatcher(refusing)]) {
                _ = try await refusing.requests.first(1)
                _ = try await fixture.wait(id) { $0.state == .failing }
            }
            let first = try #require(refusing.requests.all.first)
            let receivers = Receivers { _, _ in ChangeFixture.ok }
            try await ChangeFixture.running([fixture.dispatcher(receivers)]) {
                let repeated = try await receivers.requests.first(1)[0]
                #expect(repeated.deliveryID == first.deliveryID)
                #expect(repeated.names == first.names)
            }
        }
    }

    @Test func `a receiver that does not answer is given up on, and holds up no other`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.talk(3)
            let receivers = Receivers { request, _ in
                if request.url.hasSuffix("/slow") { try? await Task.sleep(for: .seconds(60)) }
                return ChangeFixture.ok
            }
            let slow = try await fixture.webhook("https://1.1.1.1/slow")
            let fast = try await fixture.webhook("https://1.1.1.1/fast")
            try await ChangeFixture.running([fixture.dispatcher(receivers, timeout: .milliseconds(500))]) {
                let head = try await fixture.repository.bounds().head
                _ = try await fixture.wait(fast) { $0.cursor == head }
                let failing = try await fixture.wait(slow) { $0.state == .failing }
                #expect(failing.lastError == "was not answered in time")
            }
        }
    }

    @Test func `410 pauses a webhook, and it goes on where it was when it is resumed`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.talk(2)
            let receivers = Receivers { _, before in before == 0 ? .status(410, retryAfter: nil) : ChangeFixture.ok }
            let id = try await fixture.webhook()
            try await ChangeFixture.running([fixture.dispatcher(receivers)]) {
                let paused = try await fixture.wait(id) { $0.state == .paused }
                #expect(paused.pausedBecause == .gone)
                #expect(receivers.requests.all.count == 1)
                #expect(try await fixture.owner.setPaused(id, false).webhook.pausedBecause == nil)
                #expect(try await receivers.requests.first(2)[1].names == ["a/0", "a/1", "a/2"])
            }
        }
    }

    @Test func `a replay delivers again from the cursor on`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.talk(3)
            let receivers = Receivers { _, _ in ChangeFixture.ok }
            let id = try await fixture.webhook()
            try await ChangeFixture.running([fixture.dispatcher(receivers)]) {
                let first = try await receivers.requests.first(1)[0]
                let head = try await fixture.repository.bounds().head
                _ = try await fixture.wait(id) { $0.cursor == head }
                let cursor = try #require(first.json["items"]?[1]?["cursor"]?.string)
                try await fixture.owner.replay(id, from: try #require(ChangeStart(text: cursor)))
                #expect(try await receivers.requests.first(2)[1].names == ["a/2", "a/3"])
                await #expect(throws: ChatError(.cursorUnknown)) {
                    try await fixture.owner.replay(id, from: .after(.init(run: 1, seq: 1, mark: 1)))
                }
            }
        }
    }

    @Test func `what a server stores without the lease, or of another delivery, is ignored`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.talk(1)
            let work = WebhookWorkRepository(ChatDatabase(fixture.client))
            let id = try await fixture.webhook()
            #expect(try await work.acquire(1, for: .seconds(60)) == [id])
            #expect(try await work.acquire(2, for: .seconds(60)) == [])
            let cursor = try #require(try await work.work(id, holder: 1)).webhook.cursor
            #expect(try await work.work(id, holder: 2) == nil)
            let end = try await fixture.repository.bounds().head
            let delivery = PendingDelivery(deliveryID: "one", end: end)
            #expect(try await work.begin(delivery, of: id, after: cursor, holder: 2) == false)
            #expect(try await work.begin(delivery, of: id, after: cursor, holder: 1))
            #expect(try await work.work(id, holder: 1)?.pending == delivery)
            func attempt(_ deliveryID: String) -> WebhookAttempt {
                WebhookAttempt(
                    deliveryID: deliveryID, at: .now, status: 200, error: nil, duration: .zero, items: 2, from: cursor,
                    to: end)
            }
            #expect(try await work.finish(attempt("one"), of: id, .delivered, holder: 2) == false)
            #expect(try await work.finish(attempt("two"), of: id, .delivered, holder: 1) == false)
            try await fixture.owner.replay(id, from: .begin)
            #expect(try await work.finish(attempt("one"), of: id, .delivered, holder: 1) == false)
            #expect(try await fixture.webhooks.webhook(id)?.cursor == cursor)
            #expect(try await fixture.webhooks.attempts(of: id) == [])
        }
    }

    @Test func `a hundred webhooks are enough, and each keeps a hundred attempts`() async throws {
        try await ChangeFixture.run { fixture in
            let id = try await fixture.webhook()
            for _ in 2...100 { _ = try await fixture.webhook() }
            await #expect(throws: ChatError(.tooManyWebhooks)) { _ = try await fixture.webhook() }
            #expect(try await fixture.owner.all().items.count == 100)
            try await fixture.owner.delete(id)
            await #expect(throws: ChatError(.webhookNotFound)) { try await fixture.owner.delete(id) }
            let other = try await fixture.webhook()
            let work = WebhookWorkRepository(ChatDatabase(fixture.client))
            _ = try await work.acquire(1, for: .seconds(60))
            let place = try await fixture.repository.bounds().begin
            try #require(
                try await work.begin(.init(deliveryID: "d", end: place), of: other, after: place, holder: 1))
            for number in 1...103 {
                try await work.finish(
                    WebhookAttempt(
                        deliveryID: "d", at: .now, status: nil, error: "\(number)", duration: .zero, items: 0,
                        from: place,
                        to: place), of: other, .failed(retryAfter: .zero), holder: 1)
            }
            #expect(
                try await fixture.webhooks.attempts(of: other).compactMap(\.error)
                    == (4...103).reversed().map { "\($0)" })
            #expect(try await fixture.client.query("SELECT FROM webhook_attempts").count == 100)
        }
    }
}
