import Foundation

/// What is kept of a sign-in.
struct SignIn: Codable, Sendable, Equatable {
    var userID: Int64
    var username: String
    var refreshToken: String
    var accessToken: String
    /// When the access token ends, milliseconds since 1970.
    var expiresAt: Int64

    /// Whether the access token can still be used for a while.
    func isFresh(now: Int64) -> Bool { expiresAt - now > 60_000 }
}

/// The kept sign-in at one system server: a file of mode 0600 in a folder of mode 0700, shared by processes.
struct SignInFile: Sendable {
    private static let lockTimeout = Duration.seconds(25)

    let folder: String
    private let path: String

    /// - Parameters:
    ///   - folder: that of the client.
    ///   - url: the system server's address.
    init(folder: String, url: String) {
        self.folder = folder + "/sign-ins"
        path = self.folder + "/" + Self.name(of: url)
    }

    /// - Returns: `nil` if nobody is signed in.
    func load() throws -> SignIn? {
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            return try? JSONDecoder().decode(SignIn.self, from: data)
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile || error.code == .fileNoSuchFile {
            return nil
        } catch {
            throw CommandFailure.unavailable("cannot read \(path): \(error.localizedDescription)")
        }
    }

    /// Replaces it as a whole: after a crash the old one or the new one is there.
    func save(_ signIn: SignIn) throws {
        try makeFolder()
        let data = try JSONEncoder().encode(signIn)
        let new = "\(path).\(getpid()).new"
        unlink(new)
        let file = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Self.failure("make", new) }
        defer { close(file) }
        let count = data.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        guard count == data.count, fsync(file) == 0, rename(new, path) == 0 else {
            let failure = Self.failure("write", path)
            unlink(new)
            throw failure
        }
    }

    func delete() throws {
        guard unlink(path) == 0 || errno == ENOENT else { throw Self.failure("delete", path) }
    }

    /// Runs `body` while no other process does: a refresh token works once.
    /// - Throws: what `body` throws; ``CommandFailure`` where another process holds the lock for too long.
    func locked<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
        try makeFolder()
        let file = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Self.failure("open", path + ".lock") }
        // Closing it unlocks it, as does the end of the process.
        defer { close(file) }
        let deadline = ContinuousClock.now + Self.lockTimeout
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else { throw Self.failure("lock", path + ".lock") }
            guard ContinuousClock.now < deadline else {
                throw CommandFailure.unavailable("another process holds \(path).lock")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        return try await body()
    }

    private func makeFolder() throws {
        var made = folder.hasPrefix("/") ? "" : "."
        for name in folder.split(separator: "/") {
            made += "/" + name
            guard mkdir(made, 0o700) == 0 || errno == EEXIST else { throw Self.failure("make", made) }
        }
    }

    private static func failure(_ verb: String, _ path: String) -> CommandFailure {
        .unavailable("cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }

    /// A file name that no other address has.
    private static func name(of url: String) -> String {
        let allowed = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyz0123456789.-_:")
        return (url.addingPercentEncoding(withAllowedCharacters: allowed) ?? url) + ".json"
    }
}
