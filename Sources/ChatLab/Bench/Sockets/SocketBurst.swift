import Foundation
import NIOCore

/// Many sockets that connect to a server and disconnect again.
actor SocketBurst {
    typealias Place = (port: Int, pid: pid_t)

    struct Visit: Sendable {
        /// The server's processor time for each socket.
        var microseconds: Double
        /// From the first connect until all are connected.
        var seconds: Double
    }

    private let eventLoop: any EventLoop
    private let sockets: Int
    private let rooms: [String]
    private let token: String?
    /// Errors so far, with their number.
    private(set) var errors: [String: Int] = [:]

    init(eventLoop: any EventLoop, sockets: Int, rooms: [String], token: String?) {
        self.eventLoop = eventLoop
        self.sockets = sockets
        self.rooms = rooms
        self.token = token
    }

    private func load() -> FanoutLoad { FanoutLoad(eventLoop: eventLoop, rooms: rooms, accessToken: token) }

    private func leave(_ load: FanoutLoad) async throws {
        errors.merge(try await load.errors, uniquingKeysWith: +)
        try await load.disconnect()
    }

    /// `count` of them (nil: all) connect, 64 at a time, and disconnect again.
    func come(to place: Place, _ count: Int? = nil) async throws -> Visit {
        let load = load()
        let count = count ?? sockets
        let used = try ProcessorTime.seconds(ofProcess: place.pid)
        let start = ContinuousClock.now
        try await load.connect(count, port: place.port)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let cost = try ProcessorTime.seconds(ofProcess: place.pid) - used
        try await leave(load)
        return Visit(microseconds: cost / Double(count) * 1e6, seconds: seconds)
    }

    /// All reconnect at once with the `seq` of their last event, get the events that they missed, and disconnect.
    /// - Returns: seconds until the last one has everything.
    func comeBack(to place: Place, after seq: Int, missed: Int) async throws -> Double {
        let load = load()
        let start = ContinuousClock.now
        try await load.connect(sockets, port: place.port, lastSeq: seq, atOnce: sockets)
        for room in rooms.indices { _ = try await load.deliver(missed, inRoom: room) }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        try await leave(load)
        return seconds
    }

    /// Connects a quarter of them, then the rest, and keeps them open.
    /// - Returns: the resident memory in KiB before, with a quarter, and with all.
    func idle(at place: Place, settling: Duration) async throws -> (none: Int, quarter: Int, all: Int) {
        let none = try ProcessMemory.residentKibibytes(of: place.pid)
        let load = load()
        try await load.connect(sockets / 4, port: place.port)
        try await Task.sleep(for: settling)
        let quarter = try ProcessMemory.residentKibibytes(of: place.pid)
        try await load.connect(sockets - sockets / 4, port: place.port)
        try await Task.sleep(for: settling)
        let all = try ProcessMemory.residentKibibytes(of: place.pid)
        try await leave(load)
        return (none, quarter, all)
    }
}
