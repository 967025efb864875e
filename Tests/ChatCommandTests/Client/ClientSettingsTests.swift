import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(1))) struct ClientSettingsTests {
    private func settings(
        url: String? = nil, trustedUser: Int64? = nil, _ environment: [String: String] = [:]
    ) throws -> ClientSettings {
        try ClientSettings(
            url: url, trustedUser: trustedUser, environment: ["HOME": "/home/a"].merging(environment) { $1 })
    }

    @Test func `the option names the address, else CHAT_URL, else this machine's system server`() throws {
        #expect(try settings().url == "http://127.0.0.1:8080")
        #expect(try settings(["CHAT_URL": "https://chat.example.org/"]).url == "https://chat.example.org")
        #expect(try settings(url: "http://a:1", ["CHAT_URL": "https://b"]).url == "http://a:1")
    }

    @Test(arguments: ["", "chat.example.org", "ftp://a", "http://"])
    func `what is no http or https URL is an error of usage`(url: String) throws {
        #expect { try settings(url: url) } throws: { ($0 as? CommandFailure)?.exitCode == 64 }
    }

    @Test func `a trusted user comes before CHAT_TOKEN, that before the kept sign-in`() throws {
        #expect(try settings().identity == .signIn)
        #expect(try settings(["CHAT_TOKEN": ""]).identity == .signIn)
        #expect(try settings(["CHAT_TOKEN": "t"]).identity == .token("t"))
        #expect(try settings(trustedUser: 7, ["CHAT_TOKEN": "t"]).identity == .trusted(7))
    }

    #if os(Linux)
        @Test func `the folder is CHAT_CLIENT_DIR, else below the user's data folder`() throws {
            #expect(try settings().folder == "/home/a/.local/share/chat")
            #expect(try settings(["XDG_DATA_HOME": "/data"]).folder == "/data/chat")
            #expect(try settings(["XDG_DATA_HOME": "data"]).folder == "/home/a/.local/share/chat")
            #expect(try settings(["XDG_DATA_HOME": "/data", "CHAT_CLIENT_DIR": "/c"]).folder == "/c")
        }
    #endif
}
