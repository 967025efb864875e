import Foundation

/// The web client's sources, as they stand in the repository.
enum WebClientFolder {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardized.path

    /// Where the tests of its modules are.
    static let tests = root + "/Tests/WebClient"

    static let names: [String] = ((try? FileManager.default.contentsOfDirectory(atPath: file(""))) ?? []).sorted()

    static func file(_ name: String) -> String {
        "\(root)/Sources/ChatSystemServer/Presentation/WebClient/Files/\(name)"
    }

    static func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: file(name)))) }

    static func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }

    /// Where a file is served.
    static func path(_ name: String) -> String { name == "index.html" ? "/" : "/web/\(name)" }
}
