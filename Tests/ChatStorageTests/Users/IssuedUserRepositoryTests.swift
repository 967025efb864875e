import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct IssuedUserRepositoryTests {
    @Test func `a user is made once, and takes over a name that is another to the byte`() async throws {
        try await withStore { store in
            let users = IssuedUserRepository(ChatDatabase(store.client))
            let externalID = ExternalID(verified: "crm/7")
            let (decomposed, composed) = ("Cafe\u{301}", "Caf\u{E9}")
            var userIDs: Set<UserID> = []
            for (name, shown) in [
                (nil, "crm/7"), (decomposed, decomposed), (decomposed, decomposed), (nil, decomposed),
                (composed, composed),
            ] as [(String?, String)] {
                let found = try await users.user(externalID, name: name, displayName: name ?? "crm/7")
                userIDs.insert(found.userID)
                #expect(!found.isDisabled)
                let row = try await store.client.query("SELECT display_name FROM users").first
                let displayName = try row?.decode(column: 0, as: String.self)
                #expect(displayName?.hasSameBytes(as: shown) == true)
            }
            #expect(userIDs.count == 1)
        }
    }
}
