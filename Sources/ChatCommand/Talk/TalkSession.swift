import ChatClient
import Foundation

/// One run of `chat talk`: applies events and keys to the state, carries out the actions, and draws the screen.
actor TalkSession {
    private let client: ChatClient
    private let terminal: TalkTerminal
    private let names: UserNameCache
    private let draws: AsyncStream<Void>
    private let wantsDraw: AsyncStream<Void>.Continuation
    private let ends: AsyncStream<Int32>
    private let end: AsyncStream<Int32>.Continuation
    private var state: TalkState
    private var ownID: Int64
    /// What follows the room that is shown.
    private var following: [Task<Void, Never>] = []
    private var asked: Set<Int64> = []
    /// The post before has been put in its line.
    private var sending: Task<Void, Never>?
    private var isLoading = false

    init(_ client: ChatClient, _ terminal: TalkTerminal, roomID: String?, ownID: Int64?) {
        self.client = client
        self.terminal = terminal
        self.ownID = ownID ?? 0
        names = UserNameCache(client)
        state = TalkState(roomID: roomID)
        (draws, wantsDraw) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        (ends, end) = AsyncStream.makeStream(of: Int32.self)
    }

    /// - Returns: the exit code.
    /// - Throws: ``CommandFailure`` where the room that was asked for is not there.
    func run() async throws -> Int32 {
        resize()
        if let id = state.roomID { follow(id) }
        defer { for task in following { task.cancel() } }
        let checked = state.roomID
        return try await withThrowingTaskGroup(of: Int32?.self) { group in
            func run(_ work: @escaping @Sendable () async throws -> Void) {
                group.addTask {
                    try await work()
                    return nil
                }
            }
            run { for await rooms in self.client.roomLists { await self.take(rooms) } }
            run { for await status in self.client.connectionStates { await self.take(status) } }
            run { for await error in self.client.errors() { await self.take(error) } }
            run { for await _ in ResizeSignals.all() { await self.resize() } }
            run { try await self.keepDrawing() }
            run { try await self.checkRoom(checked) }
            run { await self.readProfile() }
            group.addTask { try await self.readKeys() }
            group.addTask { await self.ends.first { _ in true } }
            defer { group.cancelAll() }
            while let code = try await group.next() {
                if let code { return code }
            }
            return 0
        }
    }

    private nonisolated func checkRoom(_ roomID: String?) async throws {
        guard let roomID else { return }
        // If the server cannot be asked, the room is shown as it is kept.
        do { _ = try await client.ownRoom(roomID) } catch is ChatError {}
    }

    private nonisolated func readProfile() async {
        await client.untilLive()
        if let profile = try? await client.profile() { await take(profile) }
    }

    private nonisolated func keepDrawing() async throws {
        for await _ in draws { try await terminal.draw(TalkView(await state)) }
    }

    private nonisolated func readKeys() async throws -> Int32 {
        var parser = KeyParser()
        while true {
            let read = try await terminal.keys(parser)
            parser = read.parser
            for key in read.keys { await take(key) }
            if read.isAtEnd { return 0 }
        }
    }

    // MARK: What happens

    private func change(_ change: (inout TalkState) -> [TalkAction]) {
        let actions = change(&state)
        for action in actions { perform(action) }
        askForNames()
        wantsDraw.yield()
    }

    private func take(_ key: Key) {
        let now = Int64(ProcessInfo.processInfo.systemUptime * 1000)
        change { $0.take(key, now: now) }
    }

    private func take(_ rooms: [RoomInfo]) { change { $0.take(rooms: rooms.map(TalkContent.room)) } }

    private func take(_ profile: UserProfile) {
        ownID = profile.userID
        change { state in
            state.names[profile.userID] = TerminalText.clean(profile.displayName)
            return []
        }
    }

    private func take(_ status: ConnectionStatus) {
        change { state in
            state.connection = TalkContent.connection(status)
            return []
        }
    }

    private func take(_ error: ChatError) {
        guard !(error.cause is TokenNotRenewable) else { return }
        notice(error.description)
    }

    private func notice(_ text: String) {
        change { state in
            state.notice = text
            return []
        }
    }

    private func resize() {
        let size = TalkTerminal.size
        terminal.forget()
        change { state in
            state.resize(width: size.width, height: size.height)
            return []
        }
    }

    // MARK: The room that is shown

    private func follow(_ id: String) {
        for task in following { task.cancel() }
        let room = client.room(id)
        following = [
            Task {
                for await messages in room.messages { self.take(messages, of: id) }
            },
            Task {
                for await notice in room.notices() { self.take(notice, of: id) }
            },
            Task {
                await self.client.untilLive()
                if !Task.isCancelled { self.fill(id) }
            },
        ]
    }

    private func take(_ messages: RoomMessages, of id: String) {
        guard id == state.roomID else { return }
        let items = messages.items.compactMap { TalkContent.message($0, ownID: ownID) }
        change { $0.take(messages: items, hasMore: messages.hasMore, isAtEnd: messages.isAtEnd) }
        if messages.hasMore { fill(id) }
    }

    /// A room that was never open here begins at its end: what fills the screen is fetched.
    private func fill(_ id: String) {
        if id == state.roomID, state.messages.count < state.rows { loadOlder(id) }
    }

    private func take(_ notice: RoomNotice, of id: String) {
        guard id == state.roomID else { return }
        switch notice {
        case .signal(.typing(let userID, let isTyping)):
            guard userID != ownID else { return }
            change { state in
                state.take(typing: userID, isTyping: isTyping)
                return []
            }
        case .signal: break
        case .reset(_, let lost):
            self.notice(
                "The server has another log of this room."
                    + (lost.isEmpty ? "" : " Messages of yours that it does not have: \(lost.count)"))
        case .skipped(let after, let through): self.notice("\(through - after) older events were not fetched.")
        case .gone: self.notice("You are no longer in this room.")
        }
    }

    private func loadOlder(_ id: String) {
        guard !isLoading else { return }
        isLoading = true
        Task {
            do {
                _ = try await client.room(id).loadOlder()
                isLoading = false
            } catch {
                isLoading = false
                let reason = "Older messages cannot be read: \((error as? ChatError)?.message ?? "\(error)")"
                change { state in
                    state.loadingFailed(reason)
                    return []
                }
            }
        }
    }

    private func askForNames() {
        let needed = Set(state.messages.suffix(1000).map(\.senderID) + state.typing).subtracting(asked)
        guard !needed.isEmpty else { return }
        asked.formUnion(needed)
        Task {
            for id in needed where id > 0 {
                let name = await names.name(of: id)
                change { state in
                    state.names[id] = name
                    return []
                }
            }
        }
    }

    // MARK: What the keys ask for

    private func perform(_ action: TalkAction) {
        guard let id = state.roomID else {
            if case .end(let code) = action { end.yield(code) }
            return
        }
        let room = client.room(id)
        switch action {
        case .send(let text, let replyTo): send(text, replyTo, to: room)
        case .open(let id): follow(id)
        case .loadOlder: loadOlder(id)
        case .toEnd: Task { await room.toEnd() }
        case .typing: Task { await room.typing() }
        case .markRead(let seq): Task { await room.markRead(seq) }
        case .retry(let key): Task { await ownPost(key)?.retry() }
        case .discard(let key): Task { _ = await ownPost(key)?.discard() }
        case .redraw: terminal.forget()
        case .end(let code): end.yield(code)
        }
    }

    private func send(_ text: String, _ replyTo: Int64?, to room: ChatRoom) {
        let before = sending
        sending = Task {
            await before?.value
            let post = room.post(MessageContent(text: text, replyTo: replyTo))
            do {
                try await post.kept()
            } catch {
                notice("Not sent: \((error as? ChatError)?.message ?? "\(error)")")
            }
        }
    }

    /// The object of a post that is shown: the key of what is shown begins with `own:`.
    private func ownPost(_ shownKey: String) -> Post? {
        guard shownKey.hasPrefix("own:") else { return nil }
        return client.post(withKey: String(shownKey.dropFirst(4)))
    }
}

/// Changes of the terminal's size.
enum ResizeSignals {
    /// Dispatch objects may be used from any thread (dispatch(3)); their Swift types just do not say so.
    private struct Source: @unchecked Sendable {
        let source: any DispatchSourceSignal
    }

    static func all() -> AsyncStream<Void> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let source = Source(source: DispatchSource.makeSignalSource(signal: SIGWINCH, queue: .global()))
            source.source.setEventHandler { continuation.yield() }
            continuation.onTermination = { _ in source.source.cancel() }
            source.source.resume()
        }
    }
}
