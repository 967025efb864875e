import Foundation

/// The text of an `errno` value (`strerror_r(3)`), safe on any thread.
func describe(errno code: Int32) -> String {
    POSIXErrorCode(rawValue: code).map { POSIXError($0).localizedDescription } ?? "error \(code)"
}
