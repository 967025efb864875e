import CommonServer

@main
struct Main {
    static func main() async {
        await ServerProcess.run("ChatSystemServer", defaultPort: 8080, build: buildSystemServer)
    }
}
