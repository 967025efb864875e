import CommonUtil
import FoundationEssentials
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ConfigurationFileTests {
    private func source(_ json: String) async throws -> ConfigurationSource {
        let file = FileManager.default.temporaryDirectory.appending(path: "file-\(UUID().uuidString).json")
        try Data(json.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try await ConfigurationSource(arguments: ["program"], environment: ["CHAT_CONFIG_FILE": file.path])
    }

    @Test func `texts and whole numbers are read, however a number is written`() async throws {
        let source = try await source(#"{"chat": {"host": "10.0.0.1", "port": 8.1e3, "drainSeconds": 5.0}}"#)
        #expect(try source.value(Settings.host) == "10.0.0.1")
        #expect(try source.value(Settings.port(default: 1)) == 8100)
        #expect(try source.value(Settings.drainSeconds) == 5)
    }

    @Test func `null counts as absent`() async throws {
        #expect(try await source(#"{"chat": {"host": null}}"#).value(Settings.host) == "127.0.0.1")
    }

    @Test(arguments: [#""port": ["81"]"#, #""logLevel": {"a": "debug"}"#, #""drainSeconds": 5.5"#])
    func `lists, objects and fractions are refused with the name of the key`(member: String) async throws {
        let error = await #expect(throws: ConfigurationError.self) { try await self.source("{\"chat\": {\(member)}}") }
        let key = member.split(separator: "\"")[0]
        #expect(error?.description.contains("chat.\(key)") == true)
    }
}
