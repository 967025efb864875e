import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore

/// Our own servers end: by a crash, or by a deployment.
extension Fault {
    static let serverFaults = [
        Fault(
            name: "message-server-killed-before-publish",
            summary: "A message server commits, its publications get no further, and it is killed",
            bounds: .init(delay: .fixed(.seconds(10)), feedDelay: longestFeedStall),
            signs: [.noted(unpublished).required, .postsUnanswered.required, .eventsFromLog.required],
            isInShortForm: true,
            inflict: { stage in
                let server = stage.processes.messageServers[0]
                try await stage.stack.redisOfMessageServers.set(.blackHole)
                let start = NIODeadline.now()
                try await stage.last(.seconds(2))
                try await server.kill()
                // The bytes that the proxy holds are lost with their connections.
                try await stage.stack.redisOfMessageServers.set(.cut)
                stage.note(
                    unpublished, try await stage.load.acknowledged(by: server.port, between: start...NIODeadline.now()))
            },
            heal: { stage in
                try await stage.stack.redisOfMessageServers.set(.pass)
                try await stage.processes.messageServers[0].start()
            }),
        Fault(
            name: "message-server-killed", summary: "Each message server is killed under load and started again",
            bounds: .init(delay: .fixed(.seconds(10)), feedDelay: longestFeedStall),
            signs: [.postsUnanswered.required, .postsRetried.required],
            inflict: { stage in
                for server in stage.processes.messageServers {
                    try await server.kill()
                    try await stage.last(.seconds(2))
                    try await server.start()
                    try await stage.last(.seconds(2))
                }
            }),
        Fault(
            name: "websocket-server-killed", summary: "Each WebSocket server is killed under load and started again",
            bounds: .init(delay: .fixed(.seconds(10))),
            signs: [.socketsClosed.required, .framesReplayed.required], isInShortForm: true,
            inflict: { stage in
                for server in stage.processes.webSocketServers {
                    try await server.kill()
                    try await stage.last(.seconds(2))
                    try await server.start()
                    try await stage.last(.seconds(2))
                }
            }),
        Fault(
            name: "websocket-server-drained", summary: "Each WebSocket server is stopped by SIGTERM under load",
            bounds: .init(delay: .fixed(.seconds(10)), refused: 0),
            signs: [.closed(with: 1012).required, .framesReplayed.required],
            inflict: { stage in
                for server in stage.processes.webSocketServers {
                    try await server.stop()
                    try await server.start()
                    try await stage.last(.seconds(2))
                }
            }),
        logUnread, descriptorsUsedUp,
    ]

    private static let linesDropped = "log lines dropped"

    /// One message server and one WebSocket server are restarted with a pipe that nobody reads as their log, and are asked for
    /// more lines than it holds.
    private static let logUnread = Fault(
        name: "log-unread", summary: "Nobody reads what a message and a WebSocket server log at debug",
        bounds: .init(delay: .fixed(.seconds(10))),
        signs: [.noted(linesDropped).required, .postsRetried],
        inflict: { stage in
            let usual = [stage.processes.messageServers[0], stage.processes.webSocketServers[0]]
            var unread: [LocalServer] = []
            var readers: [Int32] = []
            defer { for reader in readers { close(reader) } }
            do {
                for server in usual {
                    var configuration = server.configuration
                    configuration.environment[Settings.logLevel.name] = LogLevel.debug.rawValue
                    configuration.logFile += ".unread"
                    unlink(configuration.logFile)
                    guard mkfifo(configuration.logFile, 0o600) == 0 else {
                        throw LocalStackError("mkfifo \(configuration.logFile): error \(errno)")
                    }
                    readers.append(open(configuration.logFile, O_RDONLY | O_NONBLOCK))
                    try await server.stop()
                    let begun = LocalServer(configuration)
                    unread.append(begun)
                    try await begun.start()
                }
                try await ask(unread, stage)
                // They must exit with 0 although nobody reads their last lines.
                for server in unread { try await server.stop() }
                for server in usual { try await server.start() }
            } catch {
                for server in unread { try? await server.kill() }
                throw error
            }
        })

    /// Requests unknown paths until each server has dropped log lines.
    private static func ask(_ servers: [LocalServer], _ stage: FaultStage) async throws {
        let path = "/" + String(repeating: "x", count: 500)
        for server in servers {
            let deadline = ContinuousClock.now + .seconds(60)
            var dropped = 0
            while dropped == 0, ContinuousClock.now < deadline {
                for _ in 0..<200 { _ = try await stage.stack.probe(server, path) }
                dropped = await stage.stack.total("chat_log_lines_dropped_total", of: [server])
            }
            stage.note(linesDropped, dropped)
        }
    }

    private static let unpublished = "acknowledged, never published"
}
