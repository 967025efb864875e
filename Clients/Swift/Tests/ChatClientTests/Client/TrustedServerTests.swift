import Foundation
import Testing

@testable import ChatClient

/// Tests with running servers in `trusted` mode, at the addresses in `CHAT_TRUSTED_URLS`: `{system, messages, sockets}`.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["CHAT_TRUSTED_URLS"] != nil), .timeLimit(.minutes(2)))
struct TrustedServerTests {
    private struct URLs: Decodable {
        let system: String
        let messages: String
        let sockets: String
    }

    private static func client(_ userID: Int64) throws -> ChatClient {
        let text = ProcessInfo.processInfo.environment["CHAT_TRUSTED_URLS"] ?? ""
        let urls = try JSONDecoder().decode(URLs.self, from: Data(text.utf8))
        return ChatClient(
            try ChatConfiguration(system: urls.system, messages: urls.messages, sockets: urls.sockets),
            trustedUser: userID)
    }

    @Test func `users who are only numbers talk`() async throws {
        let (alice, bob) = (Int64.random(in: 1..<1 << 50), Int64.random(in: 1..<1 << 50))
        let (a, b) = (try Self.client(alice), try Self.client(bob))
        try await RealServerTests.running(a, b) {
            let info = try await a.createRoom(name: "Trusted", type: "group", memberIDs: [bob])
            for await list in b.roomLists where list.contains(where: { $0.roomID == info.roomID }) { break }
            for number in 0..<20 { _ = a.room(info.roomID).post(MessageContent(text: "\(number)")) }
            _ = try await a.room(info.roomID).sendFile(OutgoingFile(bytes: Array("a file".utf8), name: "a.txt"))
            var seen: [Int64] = []
            for try await event in b.room(info.roomID).events(after: 0) {
                guard case .message(let message) = event else { continue }
                #expect(message.senderID == alice)
                seen.append(message.seq)
                if seen.count == 21 { break }
            }
            #expect(seen == Array(1...21))
            await b.room(info.roomID).markRead()
            for await list in b.roomLists where list.first?.unreadCount == 0 { break }
        }
    }
}
