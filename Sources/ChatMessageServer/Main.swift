import CommonServer

@main
struct Main {
    static func main() async {
        await ServerProcess.run("ChatMessageServer", defaultPort: 8081, build: buildMessageServer)
    }
}
