import CommonServer

@main
struct Main {
    static func main() async {
        // A word on the command line alone, which no environment or file can hold.
        if CommandLine.arguments.dropFirst().first == "echo" {
            await ServerProcess.run("ChatWebSocketServer echo", defaultPort: 9_001) { try buildEchoServer($0) }
        }
        await ServerProcess.run("ChatWebSocketServer", defaultPort: 8082, build: buildWebSocketServer)
    }
}
