import ChatTestSupport
import Foundation
import Testing

/// What generators of clients stumble over, in all three descriptions; `scripts/clients` runs two of them.
@Suite(.timeLimit(.minutes(1))) struct GeneratorTests {
    private static let files = [
        "Sources/ChatSystemServer/Presentation/openapi.yaml", "Sources/ChatMessageServer/Presentation/openapi.yaml",
        "docs/openapi.yaml",
    ]

    private func description(_ file: String) throws -> OpenAPIDescription {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..")
        return try OpenAPIDescription(yaml: String(contentsOf: root.appending(path: file), encoding: .utf8))
    }

    @Test(arguments: files)
    func `no keyword of later versions than OpenAPI 3.0 is used`(file: String) throws {
        let description = try description(file)
        #expect(description.document["openapi"] == "3.0.3")
        var found: [String] = []
        visit(description.document, at: "") { place, value in
            for key in ["const", "propertyNames", "contentMediaType", "$defs"] where value[key] != nil {
                found.append("\(place): \(key)")
            }
            // A property may be named `type`, and its schema is no list either.
            if value["type"]?.array != nil { found.append("\(place): a list of types") }
        }
        #expect(found == [])
    }

    @Test(arguments: files)
    func `every reference resolves, and no schema is recursive`(file: String) throws {
        let description = try description(file)
        var targets: [String: Set<String>] = [:]
        for (name, schema) in description.document["components"]?["schemas"]?.object ?? [:] {
            visit(schema, at: name) { _, value in
                guard let reference = value["$ref"]?.string else { return }
                targets[name, default: []].insert(String(reference.split(separator: "/").last ?? ""))
            }
        }
        visit(description.document, at: "") { place, value in
            if value["$ref"]?.string != nil { #expect(description.resolved(value) != .null, "\(place)") }
        }
        for name in targets.keys {
            var reached: Set<String> = []
            var next = targets[name] ?? []
            while let target = next.popFirst() {
                if reached.insert(target).inserted { next.formUnion(targets[target] ?? []) }
            }
            #expect(!reached.contains(name), "\(name) is recursive")
        }
    }

    @Test(arguments: files)
    func `operation names are verbs, and links name no bodies`(file: String) throws {
        let description = try description(file)
        var names: [String] = []
        visit(description.document["paths"] ?? .null, at: "") { place, value in
            if let name = value["operationId"]?.string, value["responses"] != nil { names.append(name) }
            if value["operationId"] != nil { #expect(value["requestBody"]?.object?["refreshToken"] == nil, "\(place)") }
        }
        #expect(names.count > 5 && Set(names).count == names.count)
        for name in names {
            #expect(name.contains(/^[a-z]+([A-Z][a-z]*)*$/))
            #expect(!["room", "user", "members", "message", "history", "events", "me", "post"].contains(name))
        }
    }

    private func visit(_ value: JSON, at place: String, _ body: (String, JSON) -> Void) {
        body(place, value)
        for (key, member) in value.object ?? [:] where key != "example" && key != "enum" {
            visit(member, at: "\(place)/\(key)", body)
        }
        for (index, element) in (value.array ?? []).enumerated() { visit(element, at: "\(place)/\(index)", body) }
    }
}
