import ChatEvents
import ChatTestSupport
import Foundation
import Testing

/// Every cell of the tables of docs/security.md.
@Suite(.timeLimit(.minutes(2))) struct AuthorizationTests {
    private typealias Page = AuthorizationPage

    /// The same for all cells: registering takes longer than trying. Detached, since a cancelled test must not end it.
    private static let people = Task.detached {
        try await AuthorizationRoom.People(SharedStack.running())
    }

    @Test(arguments: AuthorizationPage.roomRows)
    func `in a room every role gets the responses of the table`(row: AuthorizationPage.Row) async throws {
        let action = try #require(RoomAction(rawValue: row.action), "a row that the test does not know")
        let isOpened = action.isOfSockets || action.isOfStreams
        let stack = try await SharedStack.running()
        for place in Self.places(row.section) {
            let everyone = try await Self.people.value
            let people = place == .direct ? try await everyone.withNewPair(stack) : everyone
            var kept: AuthorizationRoom?
            for caller in Page.Caller.allCases {
                let expected = row.outcome(caller)
                guard place != .direct || ![.admin, .removed].contains(caller) else {
                    #expect(expected == Page.impossible, "\(caller.rawValue)")
                    continue
                }
                let room =
                    if let kept, !(caller == .removed && isOpened) {
                        kept
                    } else {
                        try await AuthorizationRoom(
                            stack, people, place, keepsSocket: isOpened, hasFiles: action.isOfFiles)
                    }
                let outcome = try await room.outcome(of: action, by: caller)
                #expect(outcome == expected, "\(caller.rawValue) in \(place)")
                // Refusals change nothing; what was changed is of no use to the next.
                let isRefused = Int(outcome).map { $0 >= 400 } ?? false
                if isRefused { #expect(try await room.isUntouched, "\(caller.rawValue) in \(place)") }
                kept = isRefused || action.onlyLooks ? room : nil
            }
        }
    }

    private static func places(_ section: Page.Section) -> [AuthorizationRoom.Place] {
        switch section {
        case .hidden: [.group, .private]
        case .open: [.public]
        case .direct: [.direct]
        case .archivedHidden: [.archivedGroup, .archivedPrivate]
        case .archivedOpen: [.archivedPublic]
        case .elsewhere: []
        }
    }

    @Test(arguments: AuthorizationPage.otherRows)
    func `outside rooms every caller gets the responses of the table`(row: AuthorizationPage.Row) async throws {
        let action = try #require(ElsewhereAction(rawValue: row.action), "a row that the test does not know")
        let stack = try await SharedStack.running()
        let people = try await Self.people.value
        for caller in Page.Caller.allCases {
            // Of its own: a refresh token works once.
            let account = try await stack.user()
            let isSomebody = caller != .noToken && caller != .badToken
            let credentials =
                action.endsSignIns && isSomebody ? account.credentials : try people.credentials(of: caller)
            let outcome = try await action.outcome(stack, account, as: credentials)
            #expect(outcome == row.outcome(caller), "\(caller.rawValue)")
        }
    }

    @Test func `the page has each tested action once in each table, and no others`() throws {
        let rows = try Page.read.get().rows
        for section in Page.Section.allCases {
            let known =
                section == .elsewhere ? ElsewhereAction.allCases.map(\.rawValue) : RoomAction.allCases.map(\.rawValue)
            // Nothing is said any more in an archived room.
            let impossible =
                [.archivedHidden, .archivedOpen].contains(section)
                ? [RoomAction.receive.rawValue, RoomAction.receiveStream.rawValue] : []
            #expect(
                rows.filter { $0.section == section }.map(\.action) == known.filter { !impossible.contains($0) },
                "\(section.rawValue)")
        }
    }

    @Test func `the page has every call of both REST servers and every client frame`() async throws {
        let stack = try await SharedStack.running()
        // A description does not describe itself.
        var described: Set<String> = ["GET /ws/chat", "GET /openapi.yaml"]
        for server in [stack.system, stack.messages()] {
            let yaml = try await server.get("/openapi.yaml").require(200, "openapi").text
            described.formUnion(try OpenAPIDescription(yaml: yaml).calls.map { $0.replacing(" /api/v1/", with: " /") })
        }
        #expect(try Page.read.get().calls == described)
        let actions = try Page.read.get().rows.map(\.action)
        for frame in ClientFrame.types {
            #expect(actions.contains { $0.hasPrefix("socket: `\(frame)`") }, "\(frame)")
        }
    }
}

extension AuthorizationPage.Row: CustomTestStringConvertible {
    var testDescription: String { "\(section.rawValue): \(action)" }
}
