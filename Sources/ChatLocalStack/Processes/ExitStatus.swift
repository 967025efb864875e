import Foundation

/// How a process ended.
public enum ExitStatus: Sendable, Equatable, CustomStringConvertible {
    /// It returned or called `exit` with this code, 0–255.
    case exited(Int32)
    /// This signal ended it.
    case signaled(Int32)

    public var description: String {
        switch self {
        case .exited(let code): "exited with \(code)"
        case .signaled(let signal): "was ended by signal \(signal)"
        }
    }

    /// From the `si_code` and `si_status` of `waitid(2)`.
    init(code: Int32, status: Int32) {
        self = code == Int32(CLD_EXITED) ? .exited(status) : .signaled(status)
    }
}
