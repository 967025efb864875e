import ChatLocalStack
import CommonUtil
import Foundation

/// An nginx on a free loopback port that serves a folder and takes files into it (`PUT`), as a reference. Everything that it
/// writes is in a folder of its own.
struct Nginx: Sendable {
    let port: Int
    /// What it serves.
    let root: String
    private let process: LocalProcess

    private static let startTime = Duration.seconds(10)

    /// Where it is installed; nil if it is not.
    static var program: String? {
        if let found = ExecutableSearch.inPath("nginx") { return found }
        let path = "/usr/sbin/nginx"
        return access(path, X_OK) == 0 ? path : nil
    }

    /// Starts one, and waits until it answers.
    static func start(_ program: String, folder: String) async throws -> Nginx {
        let root = "\(folder)/www"
        try PrivateFolder.create(root, mode: 0o711)
        let port = try FreePort.next()
        let file = "\(folder)/nginx.conf"
        try configuration(port: port, folder: folder, root: root, user: geteuid() == 0 ? "root" : nil)
            .write(toFile: file, atomically: true, encoding: .utf8)
        let process = try LocalProcess(
            .init(program, ["-p", folder, "-c", file, "-e", "\(folder)/error.log"], logFile: "\(folder)/nginx.log"))
        do {
            try await waitUntilReady(process, port: port)
        } catch {
            process.kill()
            throw error
        }
        return Nginx(port: port, root: root, process: process)
    }

    private static func waitUntilReady(_ process: LocalProcess, port: Int) async throws {
        let deadline = ContinuousClock.now + startTime
        while (try? HTTPProbe.get(port: port, path: "/", timeout: .seconds(2))) == nil {
            guard process.isRunning, ContinuousClock.now < deadline else {
                throw LocalStackError((["nginx did not start"] + process.logTail()).joined(separator: "\n  "))
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    func stop() async throws { try await process.stop() }

    /// - Parameter user: of its workers; nil where it runs as nobody special.
    static func configuration(port: Int, folder: String, root: String, user: String?) -> String {
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        let temporary = kinds.map { "    \($0)_temp_path \(folder)/\($0);" }.joined(separator: "\n")
        return """
            \(user.map { "user \($0);\n" } ?? "")daemon off;
            worker_processes auto;
            pid \(folder)/nginx.pid;
            events {}
            http {
                access_log off;
                sendfile on;
                tcp_nopush on;
                client_max_body_size 0;
            \(temporary)
                server {
                    listen \(ReachableHost.loopback):\(port);
                    root \(root);
                    location / { dav_methods PUT; }
                }
            }

            """
    }
}
