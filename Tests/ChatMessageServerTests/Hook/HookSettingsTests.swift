import CommonUtil
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct HookSettingsTests {
    private static let secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

    private func settings(
        url: String = "", secret: String = Self.secret, fails: String = ""
    ) async throws -> HookSettings? {
        try HookSettings(
            try await ConfigurationSource(
                arguments: [],
                environment: [
                    "CHAT_MESSAGE_HOOK_URL": url, "CHAT_MESSAGE_HOOK_SECRET": secret, "CHAT_MESSAGE_HOOK_FAILS": fails,
                ]))
    }

    @Test func `without a URL there is no hook`() async throws {
        #expect(try await settings(secret: "") == nil)
        #expect(try await settings(secret: "", fails: "closed") == nil)
    }

    @Test func `a hook fails open unless it is to fail closed`() async throws {
        let open = try #require(try await settings(url: "https://hooks.example.org/a?b=c"))
        #expect(open.url.text == "https://hooks.example.org:443/a?b=c" && open.fails == .open)
        #expect(open.secret == [UInt8](repeating: 0, count: 24))
        #expect(try await settings(url: "https://hooks.example.org/", fails: "closed")?.fails == .closed)
    }

    @Test(arguments: [
        "http://127.0.0.1:9000/", "http://[::1]/", "http://localhost/", "http://moderation:8000/hook",
        "http://10.1.2.3/",
        "http://[fd00::1]/", "http://hook.chat.svc.cluster.local/", "http://hook.internal/",
    ])
    func `plain http leads into one's own network`(url: String) async throws {
        #expect(try await settings(url: url)?.url.isEncrypted == false)
    }

    @Test(arguments: [
        "http://hooks.example.org/", "http://1.1.1.1/", "http://[2606:4700::1111]/", "http://internal.example.org/",
        "ftp://127.0.0.1/", "hooks.example.org", "https://", "https://user:password@hooks.example.org/",
        "https://hooks.example.org:0/",
    ])
    func `any other URL is refused, and its password not shown`(url: String) async throws {
        await #expect {
            try await settings(url: url)
        } throws: { error in
            error is ConfigurationError && "\(error)".hasPrefix("CHAT_MESSAGE_HOOK_URL is '")
                && !"\(error)".contains("password")
        }
    }

    @Test(arguments: ["", "secret", "whsec_", "whsec_AAAA", "whsec_!", "WHSEC_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
    func `a hook needs a secret, which is not shown`(secret: String) async throws {
        await #expect {
            try await settings(url: "https://hooks.example.org/", secret: secret)
        } throws: { error in
            error is ConfigurationError && "\(error)".hasPrefix("CHAT_MESSAGE_HOOK_SECRET is '")
                && !"\(error)".contains("AAAA")
        }
    }

    @Test func `a secret without a URL, and an unknown way to fail, are refused`() async throws {
        for (secret, fails) in [(Self.secret, ""), ("", "ajar")] {
            await #expect(throws: ConfigurationError.self) { try await settings(secret: secret, fails: fails) }
        }
    }
}
