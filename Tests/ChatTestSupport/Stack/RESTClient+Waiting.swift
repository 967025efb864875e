extension RESTClient {
    /// Asks again and again until the answer is the wanted one; health has no event that could be awaited instead.
    /// - Throws: ``UnexpectedAnswer`` with the last answer, or the last failure to connect.
    @discardableResult
    public func waitForAnswer(
        _ path: String, _ status: Int, within time: Duration = .seconds(60),
        where isWanted: (RESTResponse) -> Bool = { _ in true }
    ) async throws -> RESTResponse {
        let deadline = ContinuousClock.now + time
        while true {
            do {
                let answer = try await get(path)
                if answer.status == status, isWanted(answer) { return answer }
                guard ContinuousClock.now < deadline else {
                    throw UnexpectedAnswer(answer, to: "\(path), \(status) awaited for \(time)")
                }
            } catch {
                // Perhaps nobody listens yet.
                guard ContinuousClock.now < deadline else { throw error }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
