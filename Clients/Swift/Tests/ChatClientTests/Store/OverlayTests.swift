import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct OverlayTests {
    typealias Values = [String: [UInt8]]

    /// Writes to a store what is to be written.
    /// - Returns: what the store holds then.
    private func write(_ overlay: inout Overlay, to store: Values) throws -> Values {
        var values = store
        for isLog in [false, true] {
            let before = overlay
            let merge = try before.merge(into: step(values), ofLogs: isLog)
            for (key, value) in merge.changes { values[key] = value }
            overlay.merged(merge, of: before)
        }
        return values
    }

    private func step(_ values: Values) -> ChatStoreStep {
        ChatStoreStep {
            values[$0]
        } list: { prefix in
            values.keys.filter { $0.hasPrefix(prefix) }
        }
    }

    @Test func `it shows changes over what the store held`() {
        var overlay = Overlay(base: ["a": [1], "ab": [2], "b": [3]], isWhole: true)
        overlay.apply(["a": nil, "ac": [4], "b": [5]])
        #expect(overlay.value("a") == nil)
        #expect(overlay.value("ab") == [2])
        #expect(overlay.value("b") == [5])
        #expect(overlay.keys(withPrefix: "a").sorted() == ["ab", "ac"])
    }

    @Test func `what nobody has touched is written`() throws {
        let base: Values = ["a": [1], "b": [2], "c": [3]]
        var overlay = Overlay(base: base, isWhole: true)
        overlay.apply(["a": [4], "b": nil, "new": [5]])
        #expect(try write(&overlay, to: base) == ["a": [4], "c": [3], "new": [5]])
        #expect(overlay.isEmpty)
    }

    @Test(arguments: [[9] as [UInt8]?, nil]) func `what others have changed stays`(_ theirs: [UInt8]?) throws {
        var overlay = Overlay(base: ["a": [1], "b": [2]], isWhole: true)
        overlay.apply(["a": [4], "b": [5], "new": [6]])
        var store: Values = ["b": [2], "new": [7]]
        store["a"] = theirs
        var expected: Values = ["b": [5], "new": [7]]
        expected["a"] = theirs
        #expect(try write(&overlay, to: store) == expected)
        #expect(overlay.isEmpty)
        #expect(overlay.value("a") == theirs)
    }

    @Test func `of a room's log all is written or nothing`() throws {
        var overlay = Overlay(base: ["v1/room/a/head": [1], "v1/room/b/head": [1]], isWhole: true)
        overlay.apply(["v1/room/a/head": [2], "v1/room/a/1/x": [3], "v1/room/b/head": [4], "v1/room/b/1/x": [5]])
        let store: Values = ["v1/room/a/head": [9], "v1/room/b/head": [1]]
        let expected: Values = ["v1/room/a/head": [9], "v1/room/b/head": [4], "v1/room/b/1/x": [5]]
        #expect(try write(&overlay, to: store) == expected)
    }

    @Test func `what was changed while it was written is written next, unless others have its room`() throws {
        var overlay = Overlay(base: [:], isWhole: true)
        overlay.apply(["a": [1], "v1/room/a/1": [1], "v1/room/b/1": [1]])
        let before = overlay
        overlay.apply(["a": [2], "v1/room/a/2": [2], "v1/room/b/2": [2]])
        var store: Values = ["v1/room/a/1": [9]]
        for isLog in [false, true] {
            let merge = try before.merge(into: step(store), ofLogs: isLog)
            for (key, value) in merge.changes { store[key] = value }
            overlay.merged(merge, of: before)
        }
        #expect(store == ["a": [1], "v1/room/a/1": [9], "v1/room/b/1": [1]])
        #expect(overlay.changes == ["a": [2], "v1/room/b/2": [2]])
        #expect(
            try write(&overlay, to: store)
                == ["a": [2], "v1/room/a/1": [9], "v1/room/b/1": [1], "v1/room/b/2": [2]])
    }

    @Test func `a write that failed may have been done, and is one's own`() throws {
        var overlay = Overlay(base: ["a": [1]], isWhole: true, attempted: ["a": [2]])
        overlay.apply(["a": [4]])
        #expect(try write(&overlay, to: ["a": [2]]) == ["a": [4]])
        overlay.apply(["a": nil])
        overlay.writingFailed(["a": nil])
        overlay.apply(["a": [5]])
        #expect(try write(&overlay, to: [:]) == ["a": [5]])
    }

    @Test func `of what could not be read nothing is written over`() throws {
        var overlay = Overlay(base: ["known": [1]], isWhole: false)
        overlay.apply(["known": [2], "there": [3], "not there": [4]])
        #expect(
            try write(&overlay, to: ["known": [1], "there": [9]]) == ["known": [2], "there": [9], "not there": [4]])
    }
}
