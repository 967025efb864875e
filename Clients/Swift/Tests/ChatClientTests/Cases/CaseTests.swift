import Foundation
import Testing

@testable import ChatClient

/// Runs Clients/Cases/*.json, which hold for every client library, on the machines of this one.
@Suite(.timeLimit(.minutes(1))) struct CaseTests {
    /// Cases that this library does not pass yet, by file and name, and why.
    static let notYet: [String: String] = [:]

    struct Case: Sendable, CustomTestStringConvertible {
        let file: String
        let name: String
        let json: JSONValue
        var testDescription: String { "\(file): \(name)" }
    }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../../Cases").standardizedFileURL

    static let all: [Case] = {
        ["connection", "room-log", "room-list", "outbox", "reader", "token"].flatMap { file -> [Case] in
            let url = folder.appendingPathComponent("\(file).json")
            guard let data = try? Data(contentsOf: url), let cases = try? JSONParser.parse(Array(data)).array else {
                return []
            }
            return cases.map { Case(file: file, name: $0["name"]?.string ?? "", json: $0) }
        }
    }()

    @Test func `there are cases of every machine`() {
        #expect(Set(Self.all.map(\.file)).count == 6)
    }

    @Test(arguments: all) func `a case holds`(_ test: Case) throws {
        guard Self.notYet["\(test.file): \(test.name)"] == nil else { return }
        let given = test.json["given"] ?? [:]
        let machine = try #require(makeMachine(test.file, given, RandomNumbers(given["random"])))
        var actions: [JSONValue] = []
        for (index, step) in (test.json["steps"]?.array ?? []).enumerated() {
            let place = "step \(index + 1): \(step.text.prefix(400))"
            if let expected = step["out"] {
                #expect(JSONValue.array(actions) == expected, "\(place)\nactual: \(JSONValue.array(actions).text)")
                actions = []
            } else if let expected = step["state"] {
                let actual = machine.snapshot()
                #expect(isPart(expected, of: actual), "\(place)\nactual: \(actual.text)")
            } else if let now = step["at"]?.integer {
                actions += machine.at(now)
            } else if let input = (step["in"] ?? step["call"])?.object?.members.first {
                actions += try #require(machine.apply(input.name, input.value), "unknown input \(input.name)")
            }
        }
    }

    private func isPart(_ expected: JSONValue, of actual: JSONValue?) -> Bool {
        switch expected {
        case .null: return actual == nil || actual == .null
        case .object(let object): return object.members.allSatisfy { isPart($0.value, of: actual?[$0.name]) }
        case .array(let elements):
            guard let actual = actual?.array, actual.count == elements.count else { return false }
            return zip(elements, actual).allSatisfy { isPart($0, of: $1) }
        default: return actual == expected
        }
    }
}
