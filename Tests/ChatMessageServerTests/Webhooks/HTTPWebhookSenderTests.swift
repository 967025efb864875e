import CommonUtil
import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(2))) struct HTTPWebhookSenderTests {
    private func sender(timeout: Duration = .seconds(10)) -> HTTPWebhookSender {
        HTTPWebhookSender(eventLoopGroup: MultiThreadedEventLoopGroup.singleton, trustFile: nil, timeout: timeout)
    }

    @Test func `the request goes to the address that was checked, with the name as its host`() async throws {
        try await TestReceiver.run { request in
            let body = try await request.body.collect(upTo: 1_000)
            let isRight = (request.head.authority ?? "").hasPrefix("no-such-name.invalid:")
            return Response(
                status: isRight && String(buffer: body) == "[1]" && request.uri.path == "/a" ? .ok : .badRequest)
        } _: { port in
            let sender = sender()
            for _ in 1...2 {
                let url = try WebhookURL("http://no-such-name.invalid:\(port)/a")
                let response = await sender.send(
                    Array("[1]".utf8), headers: [("webhook-id", "1")], to: url, at: "127.0.0.1")
                #expect(response == .status(200, retryAfter: nil))
            }
            await sender.close()
        }
    }

    @Test func `redirects are not followed, and Retry-After is read`() async throws {
        try await TestReceiver.run { request in
            if request.uri.path == "/moved" {
                return Response(status: .found, headers: [.location: "/other"])
            }
            return Response(status: .serviceUnavailable, headers: [.retryAfter: "7"])
        } _: { port in
            let sender = sender()
            let moved = await sender.send(
                [], headers: [], to: try WebhookURL("http://h.example:\(port)/moved"), at: "127.0.0.1")
            #expect(moved == .status(302, retryAfter: nil))
            let busy = await sender.send(
                [], headers: [], to: try WebhookURL("http://h.example:\(port)/busy"), at: "127.0.0.1")
            #expect(busy == .status(503, retryAfter: .seconds(7)))
            await sender.close()
        }
    }

    @Test func `of a long answer a part is read, and of a slow one nothing is awaited beyond the time`() async throws {
        try await TestReceiver.run { request in
            if request.uri.path == "/slow" { try await Task.sleep(for: .seconds(30)) }
            return Response(
                status: .ok,
                body: ResponseBody { writer in
                    // Would never end.
                    while true { try await writer.write(ByteBuffer(repeating: 0, count: 10_000)) }
                })
        } _: { port in
            let patient = sender(timeout: .seconds(25))
            let long = await patient.send(
                [], headers: [], to: try WebhookURL("http://h.example:\(port)/long"), at: "127.0.0.1")
            await patient.close()
            #expect(long == .status(200, retryAfter: nil))
            let sender = sender(timeout: .seconds(5))
            let slow = await sender.send(
                [], headers: [], to: try WebhookURL("http://h.example:\(port)/slow"), at: "127.0.0.1")
            #expect(slow == .failed("was not answered in time"))
            await sender.close()
        }
    }

    @Test func `a receiver that is not there, or has no TLS, is a failure`() async throws {
        let sender = sender()
        let away = await sender.send([], headers: [], to: try WebhookURL("http://h.example:1/"), at: "127.0.0.1")
        #expect(away.status == nil)
        try await TestReceiver.run { _ in
            Response(status: .ok)
        } _: { port in
            let plain = await sender.send(
                [], headers: [], to: try WebhookURL("https://h.example:\(port)/"), at: "127.0.0.1")
            #expect(plain.status == nil)
        }
        await sender.close()
    }

    // A client that is not shut down ends the process of a debug build.

    @Test func `an attempt that goes on after the sender was closed connects to nobody`() async throws {
        let sender = sender()
        await sender.close()
        let late = await sender.send([], headers: [], to: try WebhookURL("http://h.example:1/"), at: "127.0.0.1")
        #expect(late == .failed("was given up"))
    }

    @Test func `attempts that overlap leave nothing open, whichever comes last`() async throws {
        let sender = sender()
        try await withThrowingTaskGroup { group in
            for number in 1...8 {
                let url = try WebhookURL("http://h\(number).example:1/")
                group.addTask { await sender.send([], headers: [], to: url, at: "127.0.0.1") }
            }
            for try await response in group { #expect(response.status == nil) }
        }
        await sender.close()
    }
}
