import HTTPTypes

/// The methods of each path template. Asked only when the router has found nothing, so a scan is quick enough.
struct RouteTable: Sendable {
    private struct Template: Sendable {
        let parts: [Substring]
        var methods: [String]

        func matches(_ path: [Substring]) -> Bool {
            parts.count == path.count && zip(parts, path).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }
    }

    private let templates: [Template]

    init(_ routes: [Routes.Route]) {
        var templates: [String: Template] = [:]
        for route in routes {
            let parts = route.path.split(separator: "/")
            templates[route.path, default: Template(parts: parts, methods: [])].methods.append(route.method.rawValue)
        }
        // As the router does, a fixed word is preferred to a parameter: `/rooms/public` is no room.
        self.templates = templates.values.sorted { a, b in
            a.parts.map { $0.hasPrefix("{") ? 1 : 0 }.lexicographicallyPrecedes(
                b.parts.map { $0.hasPrefix("{") ? 1 : 0 })
        }
    }

    /// - Returns: the value of `Allow` (RFC 9110 section 10.2.1), `nil` for an unknown path.
    func allowedMethods(path: String) -> String? {
        let path = path.split(separator: "/")
        guard let template = templates.first(where: { $0.matches(path) }) else { return nil }
        let isRead = template.methods.contains("GET") && !template.methods.contains("HEAD")
        return (template.methods + (isRead ? ["HEAD"] : []) + ["OPTIONS"]).sorted().joined(separator: ", ")
    }
}
