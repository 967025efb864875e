import ChatLocalStack
import NIOCore

/// Our own servers end: by a crash, or as they do when a new release goes out.
extension Fault {
    static let serverFaults = [
        Fault(
            name: "message-server-killed-before-publish",
            summary: "A message server commits, its publications get no further, and it is killed",
            bounds: .init(delay: .fixed(.seconds(10))),
            signs: [.noted(unpublished).required, .postsUnanswered.required, .eventsFromLog.required],
            isInShortForm: true,
            inflict: { stage in
                let server = stage.processes.messageServers[0]
                try await stage.stack.redisOfMessageServers.set(.blackHole)
                let start = NIODeadline.now()
                try await stage.last(.seconds(2))
                try await server.kill()
                // What the black hole holds goes down with its connections.
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
            bounds: .init(delay: .fixed(.seconds(10))),
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
    ]

    private static let unpublished = "acknowledged, never published"
}
