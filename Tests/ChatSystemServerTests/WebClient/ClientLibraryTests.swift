import ChatLocalStack
import ChatTestSupport
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2))) struct ClientLibraryTests {
    /// The folder `Clients/JavaScript/dist` of the repository.
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../../Clients/JavaScript/dist").standardized

    /// The paths of its files below it.
    private static let names: [String] = {
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: [.isRegularFileKey])
        return (files?.compactMap { $0 as? URL } ?? [])
            .filter { (try? $0.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true }
            .map { String($0.standardized.path.dropFirst(folder.path.count + 1)) }.sorted()
    }()

    private func client() async throws -> RESTClient {
        RESTClient(baseURL: try await SharedStack.running().processes.systemServer.url)
    }

    @Test func `the library is there`() {
        #expect(Set(Self.names).isSuperset(of: ["chat.js", "react.js", "chat.d.ts"]))
    }

    @Test(arguments: names)
    func `every file of the library is served unchanged, to pages of any origin`(_ name: String) async throws {
        let answer = try await client().get(
            "/client/v1/\(name)", headers: [("Origin", "https://elsewhere.example.org")])
        #expect(answer.status == 200)
        #expect(answer.bytes == Array(try Data(contentsOf: Self.folder.appending(path: name))))
        #expect(answer.header("Access-Control-Allow-Origin") == "*")
        #expect(answer.header("Cache-Control") == "no-cache")
        #expect(answer.header("X-Content-Type-Options") == "nosniff")
        let type = try #require(answer.header("Content-Type"))
        #expect(type == (name.hasSuffix(".js") ? "text/javascript; charset=utf-8" : "text/plain; charset=utf-8"))
        let tag = try #require(answer.header("ETag"))
        #expect(try await client().get("/client/v1/\(name)", headers: [("If-None-Match", tag)]).status == 304)
    }

    @Test(arguments: ["/client", "/client/v1", "/client/v1/", "/client/v1/index.js", "/client/v2/chat.js"])
    func `other paths are not there`(_ path: String) async throws {
        #expect(try await client().get(path).status == 404)
    }

    @Test func `the configuration names the servers and how callers are authenticated`() async throws {
        let stack = try await SharedStack.running()
        let message = try #require(stack.processes.messageServers.first).port
        let answer = try await client().get("/client/v1/configuration.json")
        #expect(answer.header("Content-Type") == "application/json")
        #expect(answer.header("Access-Control-Allow-Origin") == "*")
        #expect(
            answer.json == [
                "system": .string(":\(stack.processes.systemServer.port)"), "messages": .string(":\(message)"),
                "sockets": .string(":\(stack.webSocketPort())"), "authMode": "token",
            ])
    }

    @Test func `an operator can set the public addresses, and restricted origins do not apply`() async throws {
        try await SharedStack.running().withServer(
            .system,
            [
                "CHAT_PUBLIC_SYSTEM_URL": "https://chat.example.org/",
                "CHAT_PUBLIC_MESSAGE_URL": "https://chat.example.org/messages/",
                "CHAT_PUBLIC_WEBSOCKET_URL": "wss://sockets.example.org:8443",
                "CHAT_ALLOWED_ORIGINS": "https://chat.example.org",
            ]
        ) { server in
            let answer = try await RESTClient(baseURL: server.url).get(
                "/client/v1/configuration.json", headers: [("Origin", "https://elsewhere.example.org")])
            #expect(
                answer.json == [
                    "system": "https://chat.example.org", "messages": "https://chat.example.org/messages",
                    "sockets": "wss://sockets.example.org:8443", "authMode": "token",
                ])
            #expect(answer.header("Access-Control-Allow-Origin") == "*")
        }
    }
}
