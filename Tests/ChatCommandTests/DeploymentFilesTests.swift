import CommonUtil
import Foundation
import Testing

/// What an operator copies, held against the settings there are.
@Suite(.timeLimit(.minutes(1))) struct DeploymentFilesTests {
    /// The container's own affair.
    private static let fixed: Set<String> = ["CHAT_HOST", "CHAT_PORT", "CHAT_DATA_DIR"]

    private func text(_ name: String) throws -> String {
        // …/Tests/ChatCommandTests/DeploymentFilesTests.swift
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..")
        return try String(contentsOf: root.appending(path: name), encoding: .utf8)
    }

    @Test(arguments: Settings.all.map(\.name))
    func `every setting of the servers can be set in the environment file of compose`(name: String) throws {
        guard !Self.fixed.contains(name) else { return }
        #expect(try text("docker-compose.yml").contains("\n  \(name): ${\(name):-"))
        #expect(try text(".env.example").contains("\n#\(name)="))
    }

    @Test(arguments: Settings.all.map(\.name))
    func `every setting of the servers is in the README's table`(name: String) throws {
        let table = try text("README.md")
        // Names that share their beginning are written `CHAT_LIMIT_SOCKETS_PER_USER`, `_SOCKETS_PER_ADDRESS`.
        let short = name.hasPrefix("CHAT_LIMIT_") ? "`\(name.dropFirst("CHAT_LIMIT".count))`" : "`\(name)`"
        #expect(table.contains("`\(name)`") || table.contains(short))
    }

    @Test func `no password is part of a command line`() throws {
        let lines = try text("docker-compose.yml").split(separator: "\n")
        #expect(lines.contains { $0.contains("exec redis-server /tmp/redis.conf") })
        for line in lines where line.contains("command:") || line.contains("test:") {
            #expect(!line.contains("PASSWORD"))
        }
    }
}
