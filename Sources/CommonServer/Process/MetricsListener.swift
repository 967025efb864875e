import ServiceLifecycle

/// The listener of `CHAT_METRICS_PORT`. An error that ends it tells which port it was about.
struct MetricsListener: Service {
    struct Failed: Error {
        let port: Int
        let reason: any Error
    }

    let listener: Listener

    func run() async throws {
        do {
            try await listener.run()
        } catch let error as CancellationError {
            throw error
        } catch {
            throw Failed(port: listener.port, reason: error)
        }
    }
}
