import AsyncHTTPClient
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOHTTP1

/// The REST calls of the contract that benches make before and after they measure.
struct BenchSetup: Sendable {
    struct RoomLog: Sendable {
        var clientMessageIDs: [String] = []
        /// Numbers that are missing between 1 and the head.
        var gaps = 0
    }

    private struct Login: Decodable { var accessToken: String }
    private struct Room: Decodable { var roomId: String }
    private struct Event: Decodable {
        var seq: Int
        var clientMessageId: String?
    }
    private struct Page: Decodable {
        var items: [Event]
        var hasMore: Bool
    }

    let stack: LocalStack

    /// Registers a user and logs in.
    /// - Returns: the access token.
    func logIn(as name: String = "bench") async throws -> String {
        let account = ["username": name, "password": UUID().uuidString]
        _ = try await post("/auth/register", account, token: nil)
        let login = try await post("/auth/login", account, token: nil)
        return try JSONDecoder().decode(Login.self, from: login).accessToken
    }

    func makeRooms(_ count: Int, token: String) async throws -> [String] {
        var rooms: [String] = []
        for number in 0..<count {
            let room = try await post("/rooms", ["name": "Bench \(number)", "type": "public"], token: token)
            rooms.append(try JSONDecoder().decode(Room.self, from: room).roomId)
        }
        return rooms
    }

    func join(_ room: String, token: String) async throws {
        _ = try await post("/rooms/\(room)/join", [:], token: token)
    }

    /// Reads a room's whole log.
    func log(of room: String, caller: PostCall.Caller) async throws -> RoomLog {
        var log = RoomLog()
        var head = 0
        while true {
            var request = HTTPClientRequest(
                url: "\(stack.messageServers[0].url)/api/v1/rooms/\(room)/events?after=\(head)&limit=100")
            caller.add(to: &request.headers)
            let page = try JSONDecoder().decode(Page.self, from: try await answer(to: request))
            for event in page.items {
                log.gaps += abs(event.seq - head - 1)
                head = event.seq
                if let id = event.clientMessageId { log.clientMessageIDs.append(id) }
            }
            guard page.hasMore, !page.items.isEmpty else { return log }
        }
    }

    /// Posts `count` messages at once.
    /// - Parameter message: the members of the body that are the type and the payload.
    func post(
        _ count: Int, to room: String, as caller: PostCall.Caller = .userID(1),
        message: String = #""messageType":"text","payload":{"text":"The quick brown"}"#
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<count {
                group.addTask {
                    var request = HTTPClientRequest(url: "\(stack.messageServers[0].url)/api/v1/messages")
                    request.method = .POST
                    request.headers.add(name: "Content-Type", value: "application/json")
                    caller.add(to: &request.headers)
                    request.body = .bytes(
                        ByteBuffer(
                            string: #"{"roomId":"\#(room)",\#(message)}"#)
                    )
                    _ = try await answer(to: request)
                }
            }
            for try await _ in group {}
        }
    }

    /// The JSON of a room's events after a `seq`, as user 1 of `trusted` mode; at most 100.
    func events(of room: String, after seq: Int) async throws -> [String] {
        var request = HTTPClientRequest(
            url: "\(stack.messageServers[0].url)/api/v1/rooms/\(room)/events?after=\(seq)&limit=100")
        request.headers.add(name: "X-User-Id", value: "1")
        let page = try JSONParser.parse(Array(try await answer(to: request)))
        guard case .object(let members) = page, case .array(let items)? = members["items"] else { return [] }
        return items.map(\.canonicalText)
    }

    private func post(_ path: String, _ body: [String: String], token: String?) async throws -> Data {
        var request = HTTPClientRequest(url: "\(stack.systemServer.url)/api/v1\(path)")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
        return try await answer(to: request)
    }

    private func answer(to request: HTTPClientRequest) async throws -> Data {
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let body = Data((try await response.body.collect(upTo: 16 * 1024 * 1024)).readableBytesView)
        guard (200..<300).contains(response.status.code) else {
            throw LocalStackError("\(request.url): \(response.status.code) \(String(decoding: body, as: UTF8.self))")
        }
        return body
    }
}

extension PostCall.Caller {
    fileprivate func add(to headers: inout HTTPHeaders) {
        switch self {
        case .userID(let id): headers.add(name: "X-User-Id", value: String(id))
        case .token(let token): headers.add(name: "Authorization", value: "Bearer \(token)")
        }
    }
}
