import CommonUtil
import Testing

/// Files that operators copy, compared with the settings that exist.
@Suite(.timeLimit(.minutes(1)))
struct DeploymentFilesTests {
    /// Set by the image or the compose file itself.
    private static let fixed: Set<String> = ["CHAT_HOST", "CHAT_PORT", "CHAT_DATA_DIR"]

    @Test(arguments: Settings.all.map(\.name))
    func `every setting of the servers can be set in the environment file of compose`(name: String) throws {
        guard !Self.fixed.contains(name) else { return }
        #expect(try RepositoryText.of("docker-compose.yml").contains("\n  \(name): ${\(name):-"))
        #expect(try RepositoryText.of(".env.example").contains("\n#\(name)="))
    }

    @Test(arguments: Settings.all.map(\.name))
    func `every setting of the servers is in the README's table`(name: String) throws {
        let table = try RepositoryText.of("README.md")
        // Names that share their beginning are written `CHAT_LIMIT_SOCKETS_PER_USER`, `_SOCKETS_PER_ADDRESS`.
        let short = name.hasPrefix("CHAT_LIMIT_") ? "`\(name.dropFirst("CHAT_LIMIT".count))`" : "`\(name)`"
        #expect(table.contains("`\(name)`") || table.contains(short))
    }

    @Test func `no password is part of a command line`() throws {
        let lines = try RepositoryText.of("docker-compose.yml").split(separator: "\n")
        #expect(lines.contains { $0.contains("exec redis-server /tmp/redis.conf") })
        for line in lines where line.contains("command:") || line.contains("test:") {
            #expect(!line.contains("PASSWORD"))
        }
    }

    @Test func `the image holds the servers and chat, stripped, and not chat-lab`() throws {
        let image = try RepositoryText.of("Dockerfile")
        #expect(image.contains("for product in chat ChatSystemServer ChatMessageServer ChatWebSocketServer; do"))
        #expect(image.contains("--strip-all") && !image.contains("chat-lab"))
    }
}
