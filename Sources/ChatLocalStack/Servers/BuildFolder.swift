import Foundation

/// Where our own executables are.
public enum BuildFolder {
    /// `CHAT_BUILD_DIR` if set, else the folder of the running executable: in SwiftPM's build folder, in a container
    /// and for a test runner alike, the servers lie beside it.
    public static var current: String {
        if let folder = ProcessInfo.processInfo.environment["CHAT_BUILD_DIR"], !folder.isEmpty { return folder }
        let running = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "."
        return (running as NSString).deletingLastPathComponent
    }
}
