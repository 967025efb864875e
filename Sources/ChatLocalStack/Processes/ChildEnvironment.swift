import Foundation

/// What children inherit of this process's environment.
public enum ChildEnvironment {
    /// Everything but `CHAT_…` and libpq's `PG…`: a setting of the person's shell must not leak into a private stack.
    public static var inherited: [String: String] {
        ProcessInfo.processInfo.environment.filter { key, _ in !key.hasPrefix("CHAT_") && !key.hasPrefix("PG") }
    }
}
