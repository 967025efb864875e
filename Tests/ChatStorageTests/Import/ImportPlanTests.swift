import ChatEvents
import CommonUtil
import Testing

@testable import ChatStorage

/// What becomes of the lines of a batch.
@Suite(.timeLimit(.minutes(1))) struct ImportPlanTests {
    private static let now = Timestamp.imported.adding(seconds: 86_400)
    private static let annID = ExternalID(verified: "ann")
    private static let bobID = ExternalID(verified: "bob")

    /// A room with two registered users, of whom Ann is its owner.
    private static var state: ImportState {
        var state = ImportState(now: now)
        state.users[annID] = ImportState.User(
            userID: ann, displayName: "Ann", username: "ann", isDisabled: false, createdAt: .imported)
        state.users[bobID] = ImportState.User(
            userID: bob, displayName: "Bob", username: nil, isDisabled: false, createdAt: .imported)
        state.holders = ["ann": ann]
        state.isGuest = [ann: false, bob: false, UserID(9): true]
        state.freeUserIDs = [UserID(12), UserID(11)]
        state.rooms[.hall] = ImportState.Room(
            name: "hall", type: .group, ownerID: ann, memberCount: 1, lastSeq: 7, createdAt: .imported,
            isArchived: false)
        state.members[.init(roomID: .hall, userID: ann)] = ImportState.Member(role: .owner, mark: 3)
        return state
    }

    private func plan(
        _ lines: ImportLine..., in state: ImportState = state, authMode: AuthMode = .token, membersPerRoom: Int = 0
    ) -> ImportPlan {
        ImportPlan(
            lines, in: state,
            .init(authMode: authMode, limits: RoomLimits(roomsPerUser: 0, membersPerRoom: membersPerRoom)))
    }

    private func words(_ plan: ImportPlan) -> [String] { plan.outcomes.map(\.word) }

    // MARK: Users

    @Test func `a user is made once, and written as the last line says`() throws {
        let plan = plan(.user("cid"), .user("cid", name: "Cid", username: "cid"), .user("cid", name: "Cid"))
        #expect(words(plan) == ["made", "changed", "same"])
        #expect(plan.newUsers.map(\.rawValue) == ["cid"] && plan.changedUsers.isEmpty)
        let user = try #require(plan.state.users[ExternalID(verified: "cid")])
        #expect(user.userID == UserID(11) && user.displayName == "Cid" && user.username == "cid")
        #expect(user.createdAt == Self.now)
    }

    @Test func `of a user who is there only what differs is written`() {
        let same = plan(.user("ann"), .user("ann", name: "Ann", username: "ann", disabled: false, createdAt: .imported))
        #expect(words(same) == ["same", "same"] && same.isEmpty)
        let changed = plan(.user("bob", name: "Robert"), .user("bob", disabled: true))
        #expect(words(changed) == ["changed", "changed"])
        #expect(changed.changedUsers == [Self.bobID: .init(displayName: "Robert", isDisabled: true)])
    }

    @Test func `a username has one holder, and passes on in the order of the lines`() {
        #expect(words(plan(.user("bob", username: "ann"))) == ["username_taken"])
        #expect(words(plan(.user("cid", username: "x"), .user("dan", username: "x"))) == ["made", "username_taken"])
        let passed = plan(.user("ann", username: "anna"), .user("bob", username: "ann"))
        #expect(words(passed) == ["changed", "changed"])
        // A refused line changes nothing, also not the id that it would have got.
        #expect(plan(.user("cid", username: "ann"), .user("dan")).state.users[ExternalID(verified: "cid")] == nil)
    }

    @Test func `names are compared by bytes`() {
        // Canonically equivalent, and equal as Swift's strings.
        let (composed, decomposed) = ("\u{E9}", "e\u{301}")
        let users = plan(
            .user("bob", name: composed), .user("bob", name: composed), .user("bob", name: decomposed),
            .room(name: composed), .room(name: composed), .room(name: decomposed))
        #expect(words(users) == ["changed", "same", "changed", "changed", "same", "changed"])
        #expect(users.changedUsers[Self.bobID]?.displayName.map { Array($0.utf8) } == Array(decomposed.utf8))
        #expect(users.events.count == 2)
    }

    // MARK: Rooms

    @Test func `a room is made, or renamed by an event`() {
        let plan = plan(.room(.attic, .public), .room(.hall, name: "Hall"), .room(.attic, .public))
        #expect(words(plan) == ["made", "changed", "same"])
        #expect(plan.newRooms == [.attic] && plan.renamedRooms == [.hall])
        #expect(plan.events.map(\.change) == [.roomUpdated(name: "Hall", by: .installation, at: Self.now)])
        #expect(plan.events.map(\.seq) == [8] && plan.state.rooms[.hall]?.lastSeq == 8)
    }

    @Test func `the time of a room is taken over without an event`() {
        let plan = plan(.room(createdAt: Timestamp(microseconds: 5)))
        #expect(words(plan) == ["changed"] && plan.events.isEmpty && plan.changedRooms == [.hall])
        #expect(plan.state.rooms[.hall]?.createdAt == Timestamp(microseconds: 5))
    }

    @Test func `types do not change, direct rooms are not imported, archived ones stay`() {
        var state = Self.state
        state.rooms[.attic] = ImportState.Room(
            name: "attic", type: .group, ownerID: nil, memberCount: 0, lastSeq: 2, createdAt: .imported,
            isArchived: true)
        let plan = plan(
            .room(.hall, .public), .room(.cellar, .direct), .room(.attic), .room(.attic, name: "x"),
            .member(.id(bob), in: .attic), .message("1", in: .attic), in: state)
        #expect(
            words(plan) == [
                "room_type_fixed", "direct_room", "same", "room_archived", "room_archived", "room_archived",
            ])
        #expect(plan.isEmpty)
    }

    // MARK: Members

    @Test func `members join, get roles, and make events`() {
        let plan = plan(
            .member(.ext("bob")), .member(.ext("bob"), .admin), .member(.id(ann)), .member(.id(ann), .owner))
        #expect(words(plan) == ["made", "changed", "same", "same"])
        #expect(
            plan.events.map(\.change) == [
                .memberJoined(bob, role: .member, by: .installation, at: Self.now),
                .memberRoleChanged(bob, role: .admin, by: .installation, at: Self.now),
            ])
        #expect(plan.events.map(\.seq) == [8, 9])
        #expect(
            plan.members == [
                .init(roomID: .hall, userID: bob): .init(joinedAfter: 7, role: .admin)
            ])
        #expect(plan.state.rooms[.hall]?.memberCount == 2)
    }

    @Test func `a room has one owner, who can be replaced in two lines`() {
        #expect(words(plan(.member(.id(bob), .owner))) == ["owner_role"])
        let replaced = plan(.member(.id(ann), .member), .member(.id(bob), .owner))
        #expect(words(replaced) == ["changed", "made"] && replaced.state.rooms[.hall]?.ownerID == bob)
        #expect(plan(.member(.id(ann), .member)).state.rooms[.hall]?.ownerID == nil)
    }

    @Test func `who is not there, and guests, do not join; a full room takes nobody`() {
        #expect(words(plan(.member(.ext("cid")), .member(.id(UserID(77))))) == ["user_not_found", "user_not_found"])
        #expect(words(plan(.member(.id(UserID(77))), authMode: .trusted)) == ["made"])
        #expect(words(plan(.member(.id(UserID(9))))) == ["guest"])
        #expect(words(plan(.member(.id(bob), in: .attic))) == ["room_not_found"])
        #expect(words(plan(.member(.id(bob)), membersPerRoom: 1)) == ["room_full"])
        #expect(words(plan(.user("cid"), .room(.attic), .member(.ext("cid"), in: .attic))) == ["made", "made", "made"])
    }

    @Test func `a direct room has its members and roles for good, but marks and messages`() {
        var state = Self.state
        state.rooms[.attic] = ImportState.Room(
            name: "direct", type: .direct, ownerID: ann, memberCount: 2, lastSeq: 3, createdAt: .imported,
            isArchived: false)
        state.members[.init(roomID: .attic, userID: ann)] = .init(role: .owner, mark: 0)
        let plan = plan(
            .member(.id(bob), in: .attic), .member(.id(ann), in: .attic, .member),
            .member(.id(ann), in: .attic, read: .upTo(3)), .message("1", in: .attic), in: state)
        #expect(words(plan) == ["direct_room", "direct_room", "changed", "made"])
    }

    @Test func `a read mark moves forward, and not beyond the room`() {
        let key = ImportState.MemberKey(roomID: .hall, userID: ann)
        #expect(words(plan(.member(.id(ann), read: .upTo(8)))) == ["validation_failed"])
        let back = plan(.member(.id(ann), read: .upTo(2)), .member(.id(ann), read: .upTo(3)))
        #expect(words(back) == ["same", "same"] && back.isEmpty)
        let forward = plan(.member(.id(ann), read: .upTo(7)), .member(.id(ann), read: .upTo(5)))
        #expect(words(forward) == ["changed", "same"] && forward.members == [key: .init(mark: 7)])
        #expect(forward.events.isEmpty)
    }

    @Test func `who reads all is noted for the end of the import`() {
        let key = ImportState.MemberKey(roomID: .hall, userID: ann)
        let plan = plan(.member(.id(ann), read: .all))
        #expect(words(plan) == ["changed"] && plan.readers == [key] && plan.members.isEmpty && !plan.isEmpty)
        var state = Self.state
        state.members[key]?.mark = 7
        let read = self.plan(.member(.id(ann), read: .all), in: state)
        #expect(words(read) == ["same"] && read.readers == [key])
    }

    // MARK: Messages

    @Test func `messages are numbered in the order of the lines, whatever their times`() {
        let plan = plan(
            .message("1", at: .imported), .member(.id(bob)),
            .message("2", by: .id(bob), at: .imported.adding(seconds: -9)))
        #expect(words(plan) == ["made", "made", "made"])
        #expect(plan.messages.map(\.seq) == [8, 10] && plan.messages.map(\.senderID) == [ann, bob])
        #expect(plan.activity == [.hall: .imported] && plan.lastEvents == [.hall: .message(1)])
        #expect(
            plan.lastPosts == [
                .init(roomID: .hall, userID: ann): 8, .init(roomID: .hall, userID: bob): 10,
            ])
    }

    @Test func `an importId stands for one message for ever`() {
        let line = ImportLine.message("1")
        let twice = plan(line, line, .message("1", "other"), .message("1", at: .imported.adding(seconds: 1)))
        #expect(words(twice) == ["made", "same", "import_id_reused", "import_id_reused"])
        #expect(twice.messages.count == 1)

        guard case .message(let message) = line else { return }
        var state = Self.state
        state.messages[.init(.hall, "1")] = .init(target: .stored(MessageID(5)), lineHash: message.lineHash)
        // Also where the sender and the room are gone.
        state.users = [:]
        let later = plan(line, .message("1", by: .id(ann)), in: state)
        #expect(words(later) == ["same", "import_id_reused"] && later.isEmpty)
        // Ids are compared by bytes: these two are canonically equivalent.
        #expect(words(plan(.message("\u{E9}"), .message("e\u{301}"))) == ["made", "made"])
    }

    @Test func `a reply refers to an imported message that came before`() {
        var state = Self.state
        state.messages[.init(.hall, "old")] = .init(target: .stored(MessageID(5)), lineHash: [])
        state.messages[.init(.hall, "deleted")] = .init(
            target: .stored(MessageID(6)), lineHash: [], isDeleted: true)
        state.rooms[.attic] = state.rooms[.hall]
        let plan = plan(
            .message("1", replyTo: "old"), .message("2", replyTo: "1"), .message("3", replyTo: "deleted"),
            .message("4", replyTo: "5"), .message("5"), .message("6", in: .attic, replyTo: "5"), in: state)
        #expect(
            words(plan) == ["made", "made", "validation_failed", "validation_failed", "made", "validation_failed"])
        #expect(plan.messages.map(\.replyTo) == [.stored(MessageID(5)), .new(0), nil])
        #expect(plan.messages.map(\.seq) == [8, 9, 10])
    }

    @Test func `senders exist, but need not be members`() {
        let plan = plan(
            .message("1", by: .id(bob)), .message("2", by: .ext("cid")), .message("3", by: .id(.installation)),
            .message("4", in: .attic))
        #expect(words(plan) == ["made", "user_not_found", "made", "room_not_found"])
        #expect(plan.messages.map(\.senderID) == [bob, .installation] && plan.lastPosts.isEmpty)
    }
}
