import Foundation

/// The web client's sources, as they stand in the repository.
enum WebClientFolder {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardized

    private static let folder = root.appending(path: "Sources/ChatSystemServer/Presentation/WebClient/Files")

    static let names: [String] = {
        let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
        return (names ?? []).sorted()
    }()

    static func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appending(path: name)))
    }

    static func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }

    /// Where a file is served.
    static func path(_ name: String) -> String { name == "index.html" ? "/" : "/web/\(name)" }
}
