import Foundation

/// The files of the repository that people read.
enum RepositoryText {
    // …/Tests/ChatCommandTests/RepositoryText.swift
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..")
        .standardizedFileURL

    /// - Parameter path: relative to the repository's root.
    static func of(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path)
    }
}
