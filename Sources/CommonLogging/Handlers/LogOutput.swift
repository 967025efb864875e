/// Where finished log lines go. A line is handed over whole and must come out whole.
///
/// Lines are written on event loops, so an implementation must not wait for anybody.
public protocol LogOutput: Sendable {
    /// - Parameter line: UTF-8 with its line feed.
    func write(_ line: [UInt8])
}
