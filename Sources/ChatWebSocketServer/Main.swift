import CommonServer
import CommonUtil
import NIOCore

@main
struct Main {
    static func main() async {
        // A command-line argument only; neither environment nor file can select it.
        if CommandLine.arguments.dropFirst().first == "echo" {
            await ServerProcess.run("ChatWebSocketServer echo", defaultPort: 9_001) { try buildEchoServer($0) }
        }
        await ServerProcess.run("ChatWebSocketServer", defaultPort: 8082, build: buildWebSocketServer)
    }
}

/// `ChatWebSocketServer echo`: the handshake and the frames of the chat's sockets without the chat, for conformance
/// suites. Needs neither PostgreSQL nor Redis and knows no users, so it listens on this machine alone.
func buildEchoServer(_ environment: ServerEnvironment) throws(ConfigurationError) -> ServerDependencies {
    guard ["127.0.0.1", "::1", "localhost"].contains(environment.host) else {
        throw ConfigurationError(
            name: Settings.host.name, held: environment.host, isSecret: false,
            allowed: "a loopback address, since the echo server authenticates nobody")
    }
    let deadlines = HandshakeDeadlines(eventLoops: environment.eventLoopGroup.makeIterator())
    return ServerDependencies(
        routes: Routes(), health: HealthRegistry(),
        beginConnection: { [logger = environment.logger] connection, http in
            try connection.channel.pipeline.syncOperations.addHandler(
                HandshakeHandler(policy: EchoUpgradePolicy(), deadlines: deadlines, http: http, logger: logger))
        },
        shutdownLimit: .seconds(5))
}
