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

func event(_ json: JSONValue) -> ChatEvent? { json.object.flatMap(ChatEvent.init(json:)) }
func seq(_ name: String, _ event: ChatEvent) -> JSONValue { [name: ["seq": JSONValue(event.seq)]] }

func one(_ name: String, _ value: JSONValue = [:]) -> JSONValue {
    var object = JSONObject()
    object[name] = value
    return .object(object)
}

/// An object without the members that are `nil`.
func members(_ members: KeyValuePairs<String, JSONValue?>) -> JSONValue {
    var object = JSONObject()
    for (name, value) in members { if let value { object[name] = value } }
    return .object(object)
}

final class RoomListCase: CaseMachine {
    private var machine: RoomList

    init(_ given: JSONValue) { machine = RoomList(userID: given["userId"]?.integer) }

    func apply(_ input: String, _ value: JSONValue) -> [JSONValue]? {
        switch input {
        case "begin": machine.begin()
        case "read": machine.read(value["roomId"]?.string ?? "", through: value["seq"]?.integer ?? 0)
        case "deleted":
            let deletion = RoomList.Deletion(
                roomID: value["roomId"]?.string ?? "", messageID: 0, seq: value["deletedAt"]?.integer ?? 0)
            machine.deleted(deletion, at: value["seq"]?.integer ?? 0)
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
        case "kept": actions = machine.kept(key, payload: value["payload"])
        case "settled": actions = machine.settled(key, StoredPosition(json: value["message"]))
        case "edit": actions = machine.edit(key, payload: value["payload"] ?? .null)
        case "discard": actions = machine.discard(key)
        case "retry": actions = machine.retry(key)
        case "answer":
            actions = machine.answer(
                key, status: Int(value["status"]?.integer ?? 0), code: value["code"]?.string,
                isProblem: value["isProblem"]?.bool ?? false, retryAfterMilliseconds: retryAfter,
                stored: StoredPosition(json: value["message"]))
        case "noAnswer":
            actions = machine.noAnswer(
                key, retryAfterMilliseconds: retryAfter, isUnsent: value["isUnsent"]?.bool ?? false)
        case "otherAnswered": actions = machine.otherAnswered()
        case "logged": actions = StoredPosition(json: value).map { machine.logged(key, $0) } ?? []
        case "sender": actions = machine.sender(value["isSender"]?.bool ?? false)
        case "hold": actions = machine.hold()
        case "resume": actions = machine.resume()
        case "wake": actions = machine.wake()
        case "loaded":
            actions = machine.loaded(
                (value["posts"]?.array ?? []).compactMap(OwnPost.init(kept:)),
                done: (value["done"]?.array ?? []).compactMap(DonePost.init(json:)),
                except: Set((value["except"]?.array ?? []).compactMap(\.string)))
        case "taken": actions = machine.taken(key)
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
        case .keep(let key, let isLast):
            return ["keep": members(["key": .string(key), "isLast": isLast ? true : nil])]
        case .keepEdited(let former):
            return ["keep": ["key": .string(former.key), "ifOpen": true]]
        case .keepDone(let key, let place):
            let done: JSONValue =
                place.map { ["messageId": JSONValue($0.messageID), "seq": JSONValue($0.seq)] } ?? .null
            return ["keep": ["key": .string(key), "done": done]]
        case .keepDiscarded(let post):
            return ["keep": ["key": .string(post.key), "done": .null, "ifOpen": true]]
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
            case "again": machine.pauseEnded()
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
        let life = TokenLifetime(
            userID: 1, remainingMilliseconds: value["remainingMs"]?.integer ?? 0,
            lifetimeMilliseconds: value["lifeMs"]?.integer ?? 0)
        return [["renew": ["afterMs": JSONValue(life.renewAfterMilliseconds)]]]
    }

    func snapshot() -> JSONValue { [:] }
}
