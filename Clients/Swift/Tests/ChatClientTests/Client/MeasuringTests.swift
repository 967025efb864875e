import Foundation
import Testing

@testable import ChatClient

/// Figures; run with `CHAT_MEASURE=1`.
@Suite(
    .enabled(if: ProcessInfo.processInfo.environment["CHAT_MEASURE"] != nil), .timeLimit(.minutes(2))
) struct MeasuringTests {
    @Test(arguments: [true, false]) func `figures of a return with many events`(_ isLasting: Bool) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = FakeServer()
        let client: ChatClient =
            try isLasting ? makeClient(server, store: .file(folder)) : makeClient(server, store: .memory)
        let count: Int64 = 20_000
        let frames = (1...count).map { ConnectionInput.frame(messageFrame("a", $0).text, id: nil) }
        try await running(client) {
            let link = try await server.link()
            await link.live(rooms: [roomFrame("a")])
            _ = client.room("a").messages
            for await state in client.room("a").states where state == .live { break }
            let took = await ContinuousClock().measure {
                for start in stride(from: 0, to: frames.count, by: 150) {
                    await link.receive(Array(frames[start..<min(start + 150, frames.count)]))
                }
            }
            print("kept in \(isLasting ? "files" : "memory"): \(count) events of one room in \(took)")
            #expect(client.roomLists.value.first?.lastSeq == count)
        }
    }
}
