import Synchronization

/// Makes calls of one server and holds every answer against the server's description.
public final class DescribedCalls: Sendable {
    private struct Record: Sendable {
        var calls: Set<String> = []
        var differences: [String] = []
    }

    private let client: RESTClient
    private let description: OpenAPIDescription
    private let record = Mutex(Record())

    /// Reads the description from the server itself.
    public init(_ client: RESTClient) async throws {
        self.client = client
        description = try OpenAPIDescription(yaml: try await client.get("/openapi.yaml").require(200, "openapi").text)
    }

    /// The calls that nobody has made yet.
    public var missing: Set<String> { description.calls.subtracting(record.withLock(\.calls)) }
    public var differences: [String] { record.withLock(\.differences) }

    /// `path` is the template: what stands in braces is replaced by `parameters`, in order.
    @discardableResult
    public func make(
        _ method: String, _ path: String, at parameters: [String] = [], query: String = "", _ body: JSON? = nil,
        as user: TestUser? = nil, with key: TestKey? = nil
    ) async throws -> RESTResponse {
        var values = parameters[...]
        let target = path.split(separator: "/").map { $0.hasPrefix("{") ? values.popFirst() ?? "" : String($0) }
        let url = "/" + target.joined(separator: "/") + query
        let credentials = key?.credentials ?? user?.credentials ?? .none
        let answer =
            if let body {
                try await client.send(.init(method), url, body, as: credentials)
            } else {
                try await client.send(.init(method), url, as: credentials)
            }
        let differences = description.differences(answer, to: method, path)
        record.withLock { record in
            record.calls.insert("\(method) \(path)")
            record.differences += differences
        }
        return answer
    }
}
