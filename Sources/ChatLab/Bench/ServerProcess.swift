import ChatLocalStack
import Foundation

extension LocalServer {
    /// - Throws: `LocalStackError` if it does not run.
    var pid: pid_t {
        get throws {
            guard let running else { throw LocalStackError("\(kind.rawValue) is gone") }
            return running.pid
        }
    }
}
