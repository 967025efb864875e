/// Holds one task back until its work may begin, such as a service until the database is migrated.
public struct StartGate: Sendable {
    // A stream without elements: all that comes is its end.
    private let gate = AsyncStream<Never>.makeStream()

    /// Creates a closed gate.
    public init() {}

    /// Lets the task through. May be repeated.
    public func open() { gate.continuation.finish() }

    /// Returns once the gate is open, or the task is cancelled.
    public func wait() async {
        for await _ in gate.stream {}
    }
}
