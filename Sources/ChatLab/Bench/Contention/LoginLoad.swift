import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// One after the other, logins of a user who is not there: the same work as of one who is.
struct LoginLoad: Sendable {
    /// How often each status was answered.
    typealias Answers = [String: Int]

    let url: String

    func run(seconds: Int) async -> Answers {
        var answers: Answers = [:]
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end, !Task.isCancelled {
            var request = HTTPClientRequest(url: url)
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: #"{"username":"nobody","password":"a wrong password"}"#))
            let response = try? await HTTPClient.shared.execute(request, timeout: .seconds(60))
            _ = try? await response?.body.collect(upTo: 65_536)
            answers[response.map { "\($0.status.code)" } ?? "no answer", default: 0] += 1
        }
        return answers
    }
}
