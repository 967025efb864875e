import Foundation

/// The part of JSON Schema that our descriptions use.
struct SchemaCheck {
    let description: OpenAPIDescription
    /// Whether an object may have members that are not described, as bodies of requests may.
    var allowsFurtherMembers = false

    func differences(_ value: JSON, _ schema: JSON, at place: String) -> [String] {
        let schema = description.resolved(schema)
        if value == .null, schema["nullable"] == true { return [] }
        if let choices = (schema["oneOf"] ?? schema["anyOf"])?.array {
            let found = choices.map { self.differences(value, $0, at: place) }
            return found.contains([]) ? [] : ["\(place): fits none of its schemas: \(found)"]
        }
        var differences: [String] = []
        if let only = schema["const"], only != value { differences.append("\(place): \(value) is not \(only)") }
        if let allowed = schema["enum"]?.array, !allowed.contains(value) {
            differences.append("\(place): \(value) is none of \(allowed)")
        }
        if let type = schema["type"]?.string, !Self.isOf(type, value) {
            return differences + ["\(place): \(value) is no \(type)"]
        }
        switch value {
        case .string(let text):
            if let pattern = schema["pattern"]?.string, text.range(of: pattern, options: .regularExpression) == nil {
                differences.append("\(place): \(value) does not match \(pattern)")
            }
            differences += self.differences(text.unicodeScalars.count, schema, "minLength", "maxLength", at: place)
        case .integer(let number):
            if number < schema["minimum"]?.int ?? .min || number > schema["maximum"]?.int ?? .max {
                differences.append("\(place): \(number) is out of bounds")
            }
        case .array(let elements):
            differences += self.differences(elements.count, schema, "minItems", "maxItems", at: place)
            guard let items = schema["items"] else { break }
            for (index, element) in elements.enumerated() {
                differences += self.differences(element, items, at: "\(place)[\(index)]")
            }
        case .object(let members):
            differences += self.differences(members, schema, at: place)
        case .null, .bool, .number: break
        }
        return differences
    }

    private func differences(_ members: [String: JSON], _ schema: JSON, at place: String) -> [String] {
        let missing = (schema["required"]?.array ?? []).compactMap(\.string).filter { members[$0] == nil }
        return missing.map { "\(place): \($0) is missing" }
            + members.flatMap { name, value in
                guard let schema = schema["properties"]?[name] ?? schema["additionalProperties"] else {
                    return allowsFurtherMembers ? [] : ["\(place): \(name) is not described"]
                }
                return differences(value, schema, at: "\(place).\(name)")
            }
    }

    private func differences(
        _ count: Int, _ schema: JSON, _ minimum: String, _ maximum: String, at place: String
    ) -> [String] {
        let isWithin = count >= schema[minimum]?.int ?? 0 && count <= schema[maximum]?.int ?? .max
        return isWithin ? [] : ["\(place): \(count) is out of \(minimum) and \(maximum)"]
    }

    private static func isOf(_ type: String, _ value: JSON) -> Bool {
        switch (type, value) {
        case ("string", .string), ("integer", .integer), ("number", .integer), ("number", .number), ("boolean", .bool),
            ("array", .array), ("object", .object), ("null", .null):
            true
        default: false
        }
    }
}
