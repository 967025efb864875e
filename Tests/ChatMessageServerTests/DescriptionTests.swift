import ChatStorage
import ChatTestSupport
import CommonLogging
import CommonUtil
import Foundation
import Testing

@testable import ChatMessageServer
@testable import CommonServer

@Suite(.timeLimit(.minutes(2))) struct DescriptionTests {
    private static var description: String { String(decoding: PackageResources.openapi_yaml, as: UTF8.self) }

    @Test func `routes and description name the same calls`() async throws {
        let environment = try ServerEnvironment(
            name: "Test", defaultPort: 0,
            configuration: try await ConfigurationSource(arguments: ["test"], environment: [:]),
            metrics: PrometheusRegistry())
        var routes = try await buildMessageServer(environment).routes
        routes.addHealth(HealthRegistry())
        routes.addMetrics(environment.metrics)
        // A description that describes itself is of no use to generators.
        let described = try OpenAPIDescription(yaml: Self.description).calls
        #expect(routes.calls == described.union(["GET /openapi.yaml"]))
    }

    @Test func `every call responds as described, in success and in failure`() async throws {
        let stack = try await SharedStack.running()
        let calls = try await DescribedCalls(stack.messages())
        let users = try await stack.users(3)
        let (user, member, stranger) = (users[0], users[1], users[2])
        let room = try await stack.room(of: user, with: [member])
        try await changeEverything(in: room, stack, user, member)

        let post = SharedStack.post("Hello", in: room, key: "k")
        let sent = try await calls.make("POST", "/api/v1/messages", post, as: user)
        try await calls.make("POST", "/api/v1/messages", post, as: user)
        try await calls.make("POST", "/api/v1/messages", SharedStack.post("Other", in: room, key: "k"), as: user)
        try await calls.make("POST", "/api/v1/messages", post, as: stranger)
        try await calls.make("POST", "/api/v1/messages", [:], as: user)
        try await calls.make("POST", "/api/v1/messages", post)
        let message = [sent.json["messageId"]?.int.map { "\($0)" } ?? ""]
        let path = "/api/v1/messages/{id}"
        try await calls.make("GET", path, at: message, as: member)
        try await calls.make("GET", path, at: message, as: stranger)
        let lost = try await stack.user()
        let otherRoom = try await stack.room(of: user, with: [lost])
        let lostPost = SharedStack.post("Hello", in: otherRoom, key: "k")
        try await calls.make("POST", "/api/v1/messages", lostPost, as: lost)
        try await stack.system.send(
            .delete, "/api/v1/rooms/\(otherRoom)/members/\(lost.userID)", as: user.credentials
        ).require(204, "remove")
        try await calls.make("POST", "/api/v1/messages", lostPost, as: lost)
        try await calls.make("PATCH", path, at: message, ["payload": ["text": "Edited"]], as: user)
        try await calls.make("PATCH", path, at: message, ["payload": ["text": "Edited"]], as: member)
        try await calls.make("PATCH", path, at: message, ["payload": [:]], as: user)
        try await calls.make("DELETE", path, at: message, as: user)
        try await calls.make("PATCH", path, at: message, ["payload": ["text": "Edited"]], as: user)
        try await calls.make("GET", path, at: message, as: user)
        for name in ["messages", "events"] {
            try await calls.make("GET", "/api/v1/rooms/{id}/\(name)", at: [room], as: user)
            try await calls.make("GET", "/api/v1/rooms/{id}/\(name)", at: [room], query: "?limit=1", as: user)
            try await calls.make("GET", "/api/v1/rooms/{id}/\(name)", at: [room], query: "?limit=0", as: user)
            try await calls.make("GET", "/api/v1/rooms/{id}/\(name)", at: [room], as: stranger)
        }
        try await changes(calls, stack, user)
        try await files(calls, stack, room, user, stranger)
        for path in ["/health/live", "/health/ready", "/metrics", "/docs"] {
            try await calls.make("GET", path)
        }
        #expect(calls.differences == [])
        #expect(calls.missing == [])
    }

    private func changes(_ calls: DescribedCalls, _ stack: SharedStack, _ user: TestUser) async throws {
        let key = try await stack.key(.changes)
        let feed = "/api/v1/changes"
        let unknown = ChangeCursor.text(of: ChangePosition(run: 1, seq: 0, mark: 77))
        for query in ["begin&limit=1000", "now", unknown, "nonsense"] {
            try await calls.make("GET", feed, query: "?after=\(query)", with: key)
        }
        try await calls.make("GET", feed, query: "?after=begin", as: user)
        try await calls.make("GET", feed, query: "?after=begin", with: stack.key(.messages))
        try await calls.make("GET", feed, query: "?after=begin")

        let path = "/api/v1/webhooks"
        // Of a room that is not there, so that nothing is delivered.
        let webhook: JSON = [
            "url": "https://1.1.1.1/hook", "eventTypes": ["message"], "roomIds": [.string(Unique.name("none"))],
        ]
        let made = try await calls.make("POST", path, webhook, with: key).require(201, "webhook")
        let id = [made.json["webhookId"]?.string ?? ""]
        try await calls.make("POST", path, ["url": "https://10.0.0.1/"], with: key)
        try await calls.make("POST", path, webhook, as: user)
        try await calls.make("GET", path, with: key)
        for target in [id, ["wh_none"]] {
            try await calls.make("GET", path + "/{id}", at: target, with: key)
            try await calls.make("PATCH", path + "/{id}", at: target, ["eventTypes": ["room_created"]], with: key)
            try await calls.make("PATCH", path + "/{id}", at: target, [:], with: key)
            for action in ["pause", "resume"] {
                try await calls.make("POST", path + "/{id}/\(action)", at: target, with: key)
            }
            for after in ["now", unknown, "nonsense"] {
                try await calls.make("POST", path + "/{id}/replay", at: target, ["after": .string(after)], with: key)
            }
            try await calls.make("GET", path + "/{id}/deliveries", at: target, with: key)
            try await calls.make("DELETE", path + "/{id}", at: target, with: key)
        }
    }

    private func files(
        _ calls: DescribedCalls, _ stack: SharedStack, _ room: String, _ user: TestUser, _ stranger: TestUser
    ) async throws {
        let path = "/api/v1/files"
        let target = "?roomId=\(room)&name=a"
        let stored = try await calls.make("POST", path, query: target, [:], as: user).require(201, "upload")
        try await calls.make("POST", path, query: target, as: user)
        try await calls.make("POST", path, query: target, [:])
        try await calls.make("POST", path, query: target, [:], as: stranger)
        try await calls.make("POST", path, [:], as: user)
        let id = [stored.json["fileId"]?.string ?? ""]
        let query = stored.json["url"]?.string.map { "?" + ($0.split(separator: "?").last ?? "") } ?? ""
        for (target, caller) in [(id, user), (id, stranger), (["none"], user)] {
            try await calls.make("GET", path + "/{id}", at: target, as: caller)
            try await calls.make("GET", path + "/{id}/info", at: target, as: caller)
        }
        for query in [query, query + "A", ""] { try await calls.make("GET", path + "/{id}", at: id, query: query) }
        try await calls.make("GET", path + "/{id}/info", at: id)
        for query in ["?ids=\(id[0])", "?ids="] { try await calls.make("GET", path, query: query, as: user) }
        try await calls.make("GET", path)
        try await calls.make("DELETE", path + "/{id}", at: id, as: stranger)
        try await calls.make("DELETE", path + "/{id}", at: id, as: user)
        try await calls.make("DELETE", path + "/{id}", at: id)
    }

    /// Leaves an event of every type in the room's log.
    private func changeEverything(
        in room: String, _ stack: SharedStack, _ user: TestUser, _ member: TestUser
    ) async throws {
        let other = try await stack.user()
        let path = "/api/v1/rooms/\(room)"
        let body: JSON = ["userId": .integer(other.userID)]
        try await stack.system.post(path + "/members", body, as: user.credentials).require(201, "add")
        try await stack.system.send(.patch, path, ["name": "Renamed"], as: user.credentials).require(200, "rename")
        try await stack.system.send(
            .patch, path + "/members/\(member.userID)", ["role": "admin"], as: user.credentials
        ).require(200, "role")
        try await stack.system.send(.delete, path + "/members/\(other.userID)", as: user.credentials)
            .require(204, "remove")
    }

    @Test func `components of both descriptions are the same in both`() throws {
        let sources = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources")
        let other = try OpenAPIDescription(
            yaml: String(
                contentsOf: sources.appending(path: "ChatSystemServer/Presentation/openapi.yaml"), encoding: .utf8))
        let own = try OpenAPIDescription(yaml: Self.description)
        for group in ["securitySchemes", "headers", "responses", "parameters", "schemas"] {
            let theirs = other.document["components"]?[group]?.object ?? [:]
            let ours = own.document["components"]?[group]?.object ?? [:]
            for (name, component) in ours {
                guard let their = theirs[name] else { continue }
                #expect(component == their, "\(group) \(name)")
            }
        }
        #expect(own.document["paths"]?["/health/ready"] == other.document["paths"]?["/health/ready"])
    }
}
