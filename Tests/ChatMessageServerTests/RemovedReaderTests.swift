import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct RemovedReaderTests {
    /// Readers ask all the time, so that some of them are always between the check and the read, if these are apart.
    @Test func `a reader in progress at its removal does not see what is posted afterwards`() async throws {
        let stack = try await SharedStack.running()
        let (owner, reader) = (try await stack.user(), try await stack.user())
        for _ in 0..<12 {
            let roomID = try await stack.room(of: owner, with: [reader])
            let path = "/api/v1/rooms/\(roomID)"
            let isSeen = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<24 {
                    group.addTask {
                        let list = number % 2 == 0 ? "messages" : "events"
                        while true {
                            let answer = try await stack.messages(number).get(
                                "\(path)/\(list)", as: reader.credentials)
                            if answer.text.contains("after the removal") { return true }
                            if answer.status == 404 { return false }
                        }
                    }
                }
                try await stack.system.send(
                    .delete, "\(path)/members/\(reader.userID)", as: owner.credentials
                ).require(204, "remove")
                try await stack.say("after the removal", in: roomID, as: owner)
                return try await group.contains(true)
            }
            #expect(!isSeen)
        }
    }
}
