import CommonServer

@main
struct Main {
    static func main() async {
        await ServerProcess.run("ChatWebSocketServer", defaultPort: 8082, build: buildWebSocketServer)
    }
}
