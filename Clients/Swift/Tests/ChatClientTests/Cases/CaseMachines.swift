import NIOConcurrencyHelpers

@testable import ChatClient

/// A machine in the words of the cases.
protocol CaseMachine {
    /// Returns `nil` for an input that the machine does not have.
    func apply(_ input: String, _ value: JSONValue) -> [JSONValue]?
    func at(_ now: Int64) -> [JSONValue]
    func snapshot() -> JSONValue
}

extension CaseMachine {
    func at(_ now: Int64) -> [JSONValue] { [] }
}

/// The numbers of a case, used in turn, over and over.
final class RandomNumbers: Sendable {
    private let numbers: [Double]
    private let used = NIOLockedValueBox(0)

    init(_ json: JSONValue?) { numbers = json?.array?.compactMap(\.double) ?? [0.5] }

    var source: RandomSource {
        { [self] in
            used.withLockedValue { used in
                defer { used += 1 }
                return numbers[used % numbers.count]
            }
        }
    }
}

func makeMachine(_ file: String, _ given: JSONValue, _ random: RandomNumbers) -> (any CaseMachine)? {
    switch file {
    case "connection": ConnectionCase(given, random)
    case "room-log": RoomLogCase(given)
    case "room-list": RoomListCase(given)
    case "outbox": OutboxCase(given, random)
    case "reader": ReaderCase(given)
    case "token": TokenCase()
    default: nil
    }
}

private func event(_ json: JSONValue) -> ChatEvent? { json.object.flatMap(ChatEvent.init(json:)) }
private func seq(_ name: String, _ event: ChatEvent) -> JSONValue { [name: ["seq": JSONValue(event.seq)]] }

private func one(_ name: String, _ value: JSONValue = [:]) -> JSONValue {
    var object = JSONObject()
    object[name] = value
    return .object(object)
}

/// An object without the members that are `nil`.
private func members(_ members: KeyValuePairs<String, JSONValue?>) -> JSONValue {
    var object = JSONObject()
    for (name, value) in members { if let value { object[name] = value } }
    return .object(object)
}

final class ConnectionCase: CaseMachine {
    private var machine: Connection

    init(_ given: JSONValue, _ random: RandomNumbers) {
        machine = Connection(
            now: given["now"]?.integer ?? 0, userID: given["userId"]?.integer,
            needsToken: given["needsToken"]?.bool ?? true, random: random.source)
    }

    func apply(_ input: String, _ value: JSONValue) -> [JSONValue]? {
        switch input {
        case "start": machine.start().map(text)
        case "stop": machine.stop().map(text)
        case "close": machine.close().map(text)
        case "retryNow": machine.retryNow().map(text)
        case "token":
            machine.token(
                TokenLife(
                    userID: value["sub"]?.integer ?? 0, remainingMilliseconds: value["remainingMs"]?.integer ?? 0,
                    lifeMilliseconds: value["lifeMs"]?.integer ?? 0)
            ).map(text)
        case "tokenFailed": machine.tokenFailed(gaveUp: value["gaveUp"]?.bool ?? false).map(text)
        case "unauthorized": machine.unauthorized().map(text)
        case "opened": []
        case "frame": machine.frame(value.object ?? [:]).map(text)
        case "closed": machine.closed(code: UInt16(value["code"]?.integer ?? 1006)).map(text)
        case "httpError":
            machine.httpError(
                status: Int(value["status"]?.integer ?? 0), retryAfterMilliseconds: value["retryAfterMs"]?.integer
            ).map(text)
        case "protocolError": machine.protocolError().map(text)
        case "storeOverrun": machine.storeFailed().map(text)
        case "restWorks": machine.restWorks().map(text)
        case "online": machine.online().map(text)
        case "visible": machine.visible().map(text)
        case "hidden": machine.hidden().map(text)
        case "clockJumped": machine.clockJumped(by: value["byMs"]?.integer ?? 0).map(text)
        default: nil
        }
    }

    func at(_ now: Int64) -> [JSONValue] { machine.timePassed(now).map(text) }

    func snapshot() -> JSONValue {
        members([
            "state": .string(machine.state.rawValue), "reason": .string(machine.reason.rawValue),
            "transport": .string(machine.transport.rawValue), "userId": machine.userID.map { JSONValue($0) },
            "retryAt": machine.retryAt.map { JSONValue($0) }, "nextDeadline": machine.nextDeadline.map { JSONValue($0) },
            "isAsking": .bool(machine.isAsking),
        ])
    }

    private func text(_ action: Connection.Action) -> JSONValue {
        switch action {
        case .token(let reason): ["token": ["reason": .string(reason.rawValue)]]
        case .open(let transport): ["open": ["transport": .string(transport.rawValue)]]
        case .ping: ["send": ["type": "ping"]]
        case .sync: ["sync": [:]]
        case .authenticate: ["authenticate": [:]]
        case .close(let code): ["close": ["code": JSONValue(Int(code))]]
        case .checkREST: ["checkRest": [:]]
        case .state(let state, let previous, let reason, let retry):
            [
                "state": members([
                    "state": .string(state.rawValue), "previous": .string(previous.rawValue),
                    "reason": .string(reason.rawValue), "retryInMs": retry.map { JSONValue($0) },
                ])
            ]
        }
    }
}

final class RoomLogCase: CaseMachine {
    private var machine: RoomLog
    private var page: Timeline.Page?

    init(_ given: JSONValue) {
        machine = RoomLog(
            userID: given["userId"]?.integer, keep: given["keep"]?.integer.map { Int($0) } ?? 1000,
            position: LogPosition(json: given["position"]), events: given["events"]?.array?.compactMap(event))
    }

    func apply(_ input: String, _ value: JSONValue) -> [JSONValue]? {
        switch input {
        case "frame": return frame(value).map(text)
        case "open": return machine.open(head: LogPosition(json: value)).map(text)
        case "syncing": return machine.syncing(isNamed: value["isNamed"]?.bool ?? true).map(text)
        case "synced": return machine.synced().map(text)
        case "disconnected": return machine.disconnected().map(text)
        case "loadOlder": return ask(machine.timeline?.loadOlder(Int(value["limit"]?.integer ?? 50)))
        case "page":
            guard let page else { return [] }
            let items = (value["items"]?.array ?? []).compactMap { $0.object.flatMap(Message.init(json:)) }
            return ask(machine.timeline?.page(items, hasMore: value["hasMore"]?.bool ?? false, of: page))
        case "pageFailed": machine.timeline?.pageFailed()
        case "toEnd": machine.timeline?.toEnd()
        case "changed":
            if let message = value.object.flatMap(Message.init(json:)) { machine.timeline?.change(message) }
        case "posts":
            machine.timeline?.setPosts(
                (value.array ?? []).map {
                    var post = OwnPost(key: $0["clientMessageId"]?.string ?? "", roomID: "a", payload: [:])
                    post.seq = $0["seq"]?.integer
                    post.messageID = $0["messageId"]?.integer
                    return post
                })
        default: return nil
        }
        return []
    }

    private func ask(_ asked: Timeline.Page?) -> [JSONValue] {
        guard let asked else { return [] }
        page = asked
        return [["getPage": ["before": JSONValue(asked.before), "limit": JSONValue(asked.limit)]]]
    }

    private func frame(_ frame: JSONValue) -> [RoomLog.Action] {
        let position = LogPosition(json: frame)
        switch frame["eventType"]?.string {
        case "caught_up": return machine.synced()
        case "room_reset": return position.map { machine.reset($0) } ?? []
        case "room_skipped": return position.map { machine.skipped($0) } ?? []
        case "room_removed": return machine.removed()
        case "room_added": return frame["room"]?.object.flatMap(RoomInfo.init(json:)).map { machine.added($0.head) } ?? []
        default: return event(frame).map { machine.event($0) } ?? machine.signal(frame.object ?? [:])
        }
    }

    func snapshot() -> JSONValue {
        members([
            "state": .string(machine.state.rawValue), "position": machine.position.map { .object($0.json) },
            "isAtEnd": machine.timeline.map { .bool($0.isAtEnd) },
            "newerCount": machine.timeline.map { JSONValue($0.newerCount) },
            "hasMore": machine.timeline.map { .bool($0.hasMore) },
            "messages": machine.timeline.map { .array($0.messages.map(shown)) },
        ])
    }

    private func shown(_ entry: ShownMessage) -> JSONValue {
        var object = entry.message?.json ?? [:]
        if let post = entry.post {
            object["clientMessageId"] = .string(post.key)
            object["seq"] = post.seq.map { JSONValue($0) }
            object["messageId"] = post.messageID.map { JSONValue($0) }
        }
        object["key"] = .string(entry.key)
        return .object(object)
    }

    private func text(_ action: RoomLog.Action) -> JSONValue {
        switch action {
        case .keep(let event): seq("keep", event)
        case .begin(let position): ["begin": .object(position.json)]
        case .forget: ["forget": [:]]
        case .state(let state): ["state": .string(state.rawValue)]
        case .event(let event): seq("event", event)
        case .signal(let frame): ["signal": ["frame": .object(frame)]]
        case .gap(let after, let seq): ["gap": ["after": JSONValue(after), "seq": JSONValue(seq)]]
        case .reset(let position, let lost):
            [
                "reset": members([
                    "seq": JSONValue(position.seq), "mark": position.mark.map(JSONValue.string),
                    "lost": lost.isEmpty ? nil : .array(lost.map { shown(ShownMessage($0, ofUser: 1)) }),
                ])
            ]
        case .skipped(let after, let through):
            ["skipped": ["after": JSONValue(after), "through": JSONValue(through)]]
        case .gone: ["gone": [:]]
        }
    }
}

final class RoomListCase: CaseMachine {
    private var machine: RoomList

    init(_ given: JSONValue) { machine = RoomList(userID: given["userId"]?.integer) }

    func apply(_ input: String, _ value: JSONValue) -> [JSONValue]? {
        switch input {
        case "begin": machine.begin()
        case "read": machine.read(value["roomId"]?.string ?? "", through: value["seq"]?.integer ?? 0)
        case "frame": return frame(value)
        default: return nil
        }
        return []
    }

    private func frame(_ value: JSONValue) -> [JSONValue] {
        let frame = value.object ?? [:]
        let room = value["room"]?.object.flatMap(RoomInfo.init(json:))
        let id = value["roomId"]?.string ?? ""
        switch value["eventType"]?.string {
        case "rooms": return machine.rooms(frame).map { ["gone": ["roomId": .string($0)]] }
        case "room_added": if let room { machine.added(room) }
        case "room_removed": return machine.removed(id) ? [["gone": ["roomId": .string(id)]]] : []
        case "room_reset": if let room { machine.reset(room) }
        case "room_skipped": if let position = LogPosition(json: value) { machine.skipped(id, position) }
        case "room_changed": machine.changed(frame)
        default:
            guard let event = event(value) else { return [] }
            let outcome = machine.event(event)
            guard outcome != .taken else { return [] }
            return [one("\(outcome)", ["roomId": .string(id), "seq": JSONValue(event.seq)])]
        }
        return []
    }

    func snapshot() -> JSONValue { ["rooms": .array(machine.rooms.map { .object($0.json) })] }
}

final class OutboxCase: CaseMachine {
    private var machine: Outbox

    init(_ given: JSONValue, _ random: RandomNumbers) {
        machine = Outbox(
            now: given["now"]?.integer ?? 0, posts: (given["posts"]?.array ?? []).compactMap(OwnPost.init(kept:)),
            isSender: given["isSender"]?.bool ?? true, random: random.source)
    }

    func apply(_ input: String, _ value: JSONValue) -> [JSONValue]? {
        let key = value["key"]?.string ?? ""
        let retryAfter = value["retryAfterMs"]?.integer
        let actions: [Outbox.Action]
        switch input {
        case "add":
            guard var post = OwnPost(kept: value) else { return nil }
            post.state = .new
            actions = machine.add(post)
        case "kept": actions = machine.kept(key)
        case "edit": actions = machine.edit(key, payload: value["payload"] ?? .null)
        case "discard": actions = machine.discard(key)
        case "retry": actions = machine.retry(key)
        case "answer":
            actions = machine.answer(
                key, status: Int(value["status"]?.integer ?? 0), code: value["code"]?.string,
                isProblem: value["isProblem"]?.bool ?? false, retryAfterMilliseconds: retryAfter,
                stored: StoredAt(json: value["message"]))
        case "noAnswer": actions = machine.noAnswer(key, retryAfterMilliseconds: retryAfter)
        case "otherAnswered": actions = machine.otherAnswered()
        case "logged": actions = StoredAt(json: value).map { machine.logged(key, $0) } ?? []
        case "sender": actions = machine.sender(value["isSender"]?.bool ?? false)
        case "hold": actions = machine.hold()
        case "resume": actions = machine.resume()
        case "wake": actions = machine.wake()
        case "loaded":
            var done: [String: StoredAt] = [:]
            for item in value["done"]?.array ?? [] { done[item["key"]?.string ?? ""] = StoredAt(json: item) }
            actions = machine.loaded(
                roomID: value["roomId"]?.string ?? "",
                posts: (value["posts"]?.array ?? []).compactMap(OwnPost.init(kept:)), done: done)
        default: return nil
        }
        return actions.map(text)
    }

    func at(_ now: Int64) -> [JSONValue] { machine.timePassed(now).map(text) }

    func snapshot() -> JSONValue {
        members([
            "posts": .array(
                machine.posts.map { post in
                    var object = post.kept
                    object["state"] = .string(post.state.rawValue)
                    return .object(object)
                }), "nextDeadline": machine.nextDeadline.map { JSONValue($0) },
        ])
    }

    private func text(_ action: Outbox.Action) -> JSONValue {
        switch action {
        case .keep(let key): return ["keep": ["key": .string(key)]]
        case .keepDone(let key, let place):
            let done: JSONValue = place.map { ["messageId": JSONValue($0.messageID), "seq": JSONValue($0.seq)] } ?? .null
            return ["keep": ["key": .string(key), "done": done]]
        case .post(let key, let state):
            guard state == .refused, let post = machine.post(key) else {
                return ["post": ["key": .string(key), "state": .string(state.rawValue)]]
            }
            return [
                "post": members([
                    "key": .string(key), "state": "refused", "code": post.errorCode.map(JSONValue.string),
                    "status": post.errorStatus.map { JSONValue($0) },
                    "isTemporary": post.error?.isTemporary == true ? true : nil, "isCertain": .bool(post.isCertain),
                ])
            ]
        case .stored(let key, let place):
            return [
                "post": members([
                    "key": .string(key), "state": "stored", "messageId": JSONValue(place.messageID),
                    "seq": JSONValue(place.seq), "mark": place.mark.map(JSONValue.string),
                ])
            ]
        case .send(let key): return ["send": ["key": .string(key)]]
        case .rejected(let key, let code): return ["rejected": ["key": .string(key), "code": .string(code.rawValue)]]
        case .edited(let key, let isChanged): return ["edited": ["key": .string(key), "isChanged": .bool(isChanged)]]
        case .discarded(let key, let isGone): return ["discarded": ["key": .string(key), "isGone": .bool(isGone)]]
        case .probe: return ["probe": [:]]
        }
    }
}

final class ReaderCase: CaseMachine {
    private var machine: Reader

    init(_ given: JSONValue) {
        if let after = given["after"]?.integer {
            machine = Reader(after: LogPosition(seq: after, mark: given["mark"]?.string))
        } else {
            machine = Reader(head: LogPosition(json: given["head"]))
        }
    }

    func apply(_ input: String, _ value: JSONValue) -> [JSONValue]? {
        let actions: [Reader.Action]? =
            switch input {
            case "next": machine.next()
            case "event": event(value).map { machine.event($0) }
            case "head": LogPosition(json: value).map { machine.head($0) }
            case "page":
                machine.page((value["items"]?.array ?? []).compactMap(event), hasMore: value["hasMore"]?.bool ?? false)
            case "pageFailed":
                machine.pageFailed(
                    status: value["status"]?.integer.map { Int($0) },
                    code: value["code"]?.string.map(ChatError.Code.init(rawValue:)))
            case "again": machine.again()
            case "missed": machine.missed()
            case "reset": machine.reset()
            case "removed": machine.removed()
            case "close": machine.close()
            default: nil
            }
        return actions?.map(text)
    }

    func snapshot() -> JSONValue { members(["position": machine.position.map { .object($0.json) }]) }

    private func text(_ action: Reader.Action) -> JSONValue {
        switch action {
        case .begin(let position): ["begin": .object(position.json)]
        case .give(let event): seq("give", event)
        case .getEvents(let position):
            ["getEvents": members(["after": JSONValue(position.seq), "mark": position.mark.map(JSONValue.string)])]
        case .retry: ["retry": [:]]
        case .done: ["done": [:]]
        case .failed(let code): ["failed": ["code": .string(code.rawValue)]]
        }
    }
}

final class TokenCase: CaseMachine {
    func apply(_ input: String, _ value: JSONValue) -> [JSONValue]? {
        let life = TokenLife(
            userID: 1, remainingMilliseconds: value["remainingMs"]?.integer ?? 0,
            lifeMilliseconds: value["lifeMs"]?.integer ?? 0)
        return [["renew": ["afterMs": JSONValue(life.renewAfterMilliseconds)]]]
    }

    func snapshot() -> JSONValue { [:] }
}
