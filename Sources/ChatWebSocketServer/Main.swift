import CommonServer

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
