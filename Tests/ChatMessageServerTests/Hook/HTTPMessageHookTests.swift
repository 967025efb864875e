import CommonUtil
import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct HTTPMessageHookTests {
    /// Runs a client of a hook for the time of `body`.
    private func withHook(
        port: Int, path: String = "/", timeout: Duration = .seconds(20), scheme: String = "http",
        _ body: (HTTPMessageHook) async throws -> Void
    ) async throws {
        let hook = HTTPMessageHook(
            url: try WebhookURL("\(scheme)://127.0.0.1:\(port)\(path)"),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, trustFile: nil, timeout: timeout)
        try await ChangeFixture.running([hook]) { try await body(hook) }
    }

    @Test func `a body is posted with its headers, and the whole answer is read`() async throws {
        try await TestReceiver.run { request in
            let body = try await request.body.collect(upTo: 1_000)
            let header = request.headers[HTTPField.Name("webhook-id") ?? .accept]
            return Response(
                status: .accepted,
                body: ResponseBody(
                    byteBuffer: ByteBuffer(string: "\(request.uri) \(header ?? "") \(String(buffer: body))")))
        } _: { port in
            try await withHook(port: port, path: "/a?b=c") { hook in
                for _ in 1...2 {
                    let response = await hook.call(Array("[1]".utf8), headers: [("webhook-id", "hk_1")])
                    #expect(response == .answer(status: 202, body: Array("/a?b=c hk_1 [1]".utf8)))
                }
            }
        }
    }

    @Test func `redirects are not followed, and an answer is read up to its bound`() async throws {
        try await TestReceiver.run { request in
            if request.uri.path == "/moved" { return Response(status: .found, headers: [.location: "/full"]) }
            let count = HTTPMessageHook.maximumAnswerBytes + (request.uri.path == "/full" ? 0 : 1)
            return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(repeating: 0x20, count: count)))
        } _: { port in
            try await withHook(port: port, path: "/moved") { hook in
                #expect(await hook.call([], headers: []) == .answer(status: 302, body: []))
            }
            try await withHook(port: port, path: "/full") { hook in
                let answer = [UInt8](repeating: 0x20, count: HTTPMessageHook.maximumAnswerBytes)
                #expect(await hook.call([], headers: []) == .answer(status: 200, body: answer))
            }
            try await withHook(port: port, path: "/more") { hook in
                #expect(await hook.call([], headers: []) == .failed("gave an answer that is too large"))
            }
        }
    }

    @Test func `who is not there, has no TLS, or does not answer is a failure`() async throws {
        try await withHook(port: 1) { #expect(await $0.call([], headers: []) == .failed("could not be reached")) }
        try await TestReceiver.run { _ in
            try await Task.sleep(for: .seconds(60))
            return Response(status: .ok)
        } _: { port in
            try await withHook(port: port, timeout: .milliseconds(200)) { hook in
                #expect(await hook.call([], headers: []) == .failed("was not answered in time"))
            }
            try await withHook(port: port, scheme: "https") { hook in
                guard case .failed = await hook.call([], headers: []) else {
                    Issue.record("an answer without TLS")
                    return
                }
            }
        }
    }
}
