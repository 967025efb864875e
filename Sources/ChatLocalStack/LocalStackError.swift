import Foundation

/// Why a private engine or server could not be found, started or reached, in words for the person at the terminal.
public struct LocalStackError: Error, Equatable, CustomStringConvertible {
    /// What is wrong, and what to do about it where that is known.
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}

extension LocalStackError {
    /// The error of a failed system call, from the current `errno`.
    static func systemCall(_ name: String, errno code: Int32) -> LocalStackError {
        LocalStackError("\(name): \(describe(errno: code))")
    }
}

/// The text of an `errno` value (`strerror_r(3)`), safe on any thread.
func describe(errno code: Int32) -> String {
    POSIXErrorCode(rawValue: code).map { POSIXError($0).localizedDescription } ?? "error \(code)"
}
