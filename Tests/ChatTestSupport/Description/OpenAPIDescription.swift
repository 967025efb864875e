import Foundation
import Yams

/// A server's OpenAPI description, read with a parser that is not the product's own.
public struct OpenAPIDescription: Sendable {
    public let document: JSON

    /// - Throws: `YamlError`, or ``Unreadable`` where it is not an object.
    public init(yaml: String) throws {
        guard let document = try Yams.load(yaml: yaml).map(Self.json), document.object != nil else {
            throw Unreadable()
        }
        self.document = document
    }

    public struct Unreadable: Error {}

    /// Every method with its path: `GET /health/live`.
    public var calls: Set<String> {
        Set(
            (document["paths"]?.object ?? [:]).flatMap { path, item in
                item.keys.subtracting(["parameters"]).map { "\($0.uppercased()) \(path)" }
            })
    }

    public func call(_ method: String, _ path: String) -> JSON? { document["paths"]?[path]?[method.lowercased()] }

    /// What is different between an answer and its description; empty where nothing is.
    ///
    /// Stricter than a client may be: members that are not described are differences, too.
    public func differences(_ answer: RESTResponse, to method: String, _ path: String) -> [String] {
        guard let described = call(method, path)?["responses"]?["\(answer.status)"] else {
            return ["\(method) \(path): status \(answer.status) is not described: \(answer)"]
        }
        let response = resolved(described)
        var differences: [String] = []
        for (name, header) in response["headers"]?.object ?? [:]
        where resolved(header)["required"] == true && answer.header(name) == nil {
            differences.append("no header \(name)")
        }
        let type = answer.header("Content-Type").map { String($0.prefix { $0 != ";" }) }
        let content = response["content"]?.object ?? [:]
        if content.isEmpty {
            if !answer.bytes.isEmpty { differences.append("has a body") }
        } else if let type, let schema = (content[type] ?? content["*/*"])?["schema"] {
            if type.hasSuffix("json") {
                differences += SchemaCheck(description: self).differences(answer.json, schema, at: "body")
            }
        } else {
            differences.append("content type \(type ?? "none") is not described")
        }
        return differences.map { "\(method) \(path) \(answer.status): \($0)" }
    }

    /// What is different between a value and one of the document's own schemas, such as `["$defs", "Ready"]`.
    public func differences(_ value: JSON, toSchema path: [String]) -> [String] {
        guard let schema = path.reduce(document as JSON?, { $0?[$1] }) else { return ["there is no schema \(path)"] }
        return SchemaCheck(description: self).differences(value, schema, at: path.last ?? "")
    }

    /// Follows a `$ref` within the document.
    public func resolved(_ value: JSON) -> JSON {
        guard let reference = value["$ref"]?.string else { return value }
        let target = reference.dropFirst(2).split(separator: "/").reduce(document) { $0[String($1)] ?? .null }
        return resolved(target)
    }

    private static func json(_ value: Any) -> JSON {
        switch value {
        case let value as Bool: .bool(value)
        case let value as Int: .integer(Int64(value))
        case let value as Double: .number(value)
        case let value as String: .string(value)
        case let value as [Any]: .array(value.map(json))
        case let value as [AnyHashable: Any]:
            .object(Dictionary(uniqueKeysWithValues: value.map { ("\($0.key)", json($0.value)) }))
        default: .null
        }
    }
}
