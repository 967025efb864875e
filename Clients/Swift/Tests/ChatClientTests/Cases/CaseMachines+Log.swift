@testable import ChatClient

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
                TokenLifetime(
                    userID: value["sub"]?.integer ?? 0, remainingMilliseconds: value["remainingMs"]?.integer ?? 0,
                    lifetimeMilliseconds: value["lifeMs"]?.integer ?? 0)
            ).map(text)
        case "tokenFailed": machine.tokenFailed(isSignedOut: value["gaveUp"]?.bool ?? false).map(text)
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
            "retryAt": machine.retryAt.map { JSONValue($0) },
            "nextDeadline": machine.nextDeadline.map { JSONValue($0) },
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
        case "room_added":
            return frame["room"]?.object.flatMap(RoomInfo.init(json:)).map { machine.added($0.head) } ?? []
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
