import Foundation
import NIOHTTP1

/// Every request that a server accepted, held against the description: programs that are made of it check what they send,
/// and would refuse what the server takes.
extension OpenAPIDescription {
    /// They ignore parameters that name nothing: unknown ids, a signature of a caller who may read the file anyway.
    private static let lenientCalls: Set<String> = ["GET /api/v1/files", "GET /api/v1/files/{id}"]

    /// What is different between an accepted request and its description; empty where nothing is.
    func differences(
        ofAccepted method: String, _ template: String, target: String, headers: HTTPHeaders, bytes: [UInt8]?
    ) -> [String] {
        guard let call = call(method, template), !Self.lenientCalls.contains("\(method) \(template)") else { return [] }
        let check = SchemaCheck(description: self, allowsFurtherMembers: true)
        let shared = document["paths"]?[template]?["parameters"]?.array ?? []
        let query = URLComponents(string: target)?.queryItems ?? []
        var differences: [String] = []
        for parameter in (shared + (call["parameters"]?.array ?? [])).map(resolved) {
            guard let name = parameter["name"]?.string, let schema = parameter["schema"] else { continue }
            let text: String? =
                switch parameter["in"]?.string {
                case "query": query.first { $0.name == name }?.value
                case "header": headers.first(name: name)
                // Those of the path are found by its template.
                default: nil
                }
            if let text {
                differences += check.differences(value(of: text, schema), schema, at: name)
            } else if parameter["required"] == true, parameter["in"] != "path" {
                differences.append("\(name) is required")
            }
        }
        let body = resolved(call["requestBody"] ?? .null)
        let schema = body["content"]?["application/json"]?["schema"]
        if let bytes, let schema, let json = try? JSON(parsing: bytes) {
            differences += check.differences(json, schema, at: "request")
        } else if bytes == nil, body["required"] == true {
            differences.append("a body is required")
        }
        return differences.map { "\(method) \(template) was accepted, but \($0)" }
    }

    /// The value of a parameter, from its text (`style: form`).
    private func value(of text: String, _ schema: JSON) -> JSON {
        let schema = resolved(schema)
        switch schema["type"]?.string {
        case "integer": return Int64(text).map { .integer($0) } ?? .string(text)
        case "boolean": return text == "true" ? true : text == "false" ? false : .string(text)
        case "array": return .array(text.split(separator: ",").map { value(of: String($0), schema["items"] ?? .null) })
        default: return .string(text)
        }
    }
}
