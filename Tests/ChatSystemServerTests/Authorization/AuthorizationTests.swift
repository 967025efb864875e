import ChatTestSupport
import Foundation
import Testing

@Suite("Authorization")
struct AuthorizationTests {
    /// The same for all cells: registering takes longer than trying. Detached, since a cancelled test must not end it.
    private static let people = Task.detached {
        try await AuthorizationRoom.people(SharedStack.running())
    }

    @Test(
        "Everyone gets what the table says", arguments: AuthorizationTable.Action.allCases, [false, true])
    func cells(action: AuthorizationTable.Action, isPublic: Bool) async throws {
        let row = try #require(AuthorizationTable.rows.first { $0.action == action })
        let stack = try await SharedStack.running()
        let people = try await Self.people.value
        for caller in AuthorizationTable.Caller.allCases {
            // Of its own, since most of what is done changes the room.
            let room = try await AuthorizationRoom(stack, people, isPublic: isPublic)
            let outcome = try await room.outcome(of: action, by: caller)
            #expect(outcome == row.expected(caller, inPublicRoom: isPublic), "\(caller.rawValue)")
        }
    }

    @Test("The page shows the table that is tested")
    func page() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../docs/security.md")
        let page = try String(contentsOf: file, encoding: .utf8)
        for isPublic in [false, true] {
            let table = AuthorizationTable.markdown(inPublicRoom: isPublic)
            #expect(page.contains("\n\(table)\n"), "docs/security.md has to have this table:\n\(table)")
        }
    }
}
