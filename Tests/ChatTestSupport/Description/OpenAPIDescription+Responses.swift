import Foundation
import NIOHTTP1

/// Every answer that a test gets, held against the description, so that the two cannot drift apart unnoticed.
extension OpenAPIDescription {
    /// An answer, or an accepted request, that is not as it is described.
    public struct Undescribed: Error, CustomStringConvertible {
        public let description: String
    }

    static let system = source(of: "ChatSystemServer")
    static let message = source(of: "ChatMessageServer")

    private static func source(of server: String) -> Result<OpenAPIDescription, any Error> {
        Result {
            let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
            let file = root.appending(path: "Sources/\(server)/Presentation/openapi.yaml")
            return try OpenAPIDescription(yaml: String(contentsOf: file, encoding: .utf8))
        }
    }

    /// Paths and methods that are not described are not looked at: other tests compare those with the routes.
    /// - Throws: ``Undescribed``.
    func check(
        _ answer: RESTResponse, to method: String, _ target: String, headers: HTTPHeaders, bytes: [UInt8]?
    ) throws {
        let path = target.prefix { $0 != "?" }.split(separator: "/")
        guard let template = template(of: path), call(method, template) != nil else { return }
        var differences = differences(answer, to: method, template)
        if (200..<300).contains(answer.status) {
            differences += self.differences(
                ofAccepted: method, template, target: target, headers: headers, bytes: bytes)
        }
        guard differences.isEmpty else { throw Undescribed(description: differences.joined(separator: "; ")) }
    }

    /// A fixed word is preferred to a parameter: `/rooms/public` is no room.
    private func template(of path: [Substring]) -> String? {
        let templates = (document["paths"]?.object ?? [:]).keys.filter { template in
            let parts = template.split(separator: "/")
            return parts.count == path.count && zip(parts, path).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }
        return templates.min { a, b in a.count { $0 == "{" } < b.count { $0 == "{" } }
    }
}
