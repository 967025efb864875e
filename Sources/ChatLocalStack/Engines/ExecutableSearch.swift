import Foundation

/// Finding installed programs.
public enum ExecutableSearch {
    /// The first executable of this name in the folders of `PATH`.
    public static func inPath(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }
}
