@main
struct EchoBot {
    static func main() async throws {}
}
