import Foundation

/// Finds PostgreSQL's programs: Debian keeps them per major version, out of `PATH`.
struct PostgresBinaries {
    let initdb: String
    let postgres: String
    let psql: String

    /// One of PostgreSQL's programs, of the newest version that has it.
    static func optionalProgram(_ name: String) -> String? {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        let folders = versions.compactMap { Int($0) }.sorted(by: >).map { "/usr/lib/postgresql/\($0)/bin" }
        return folders.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 } ?? ExecutableSearch.inPath(name)
    }

    /// - Throws: `LocalStackError` that says what to install.
    static func find() throws -> PostgresBinaries {
        guard let initdb = optionalProgram("initdb"), let postgres = optionalProgram("postgres"),
            let psql = optionalProgram("psql")
        else {
            throw LocalStackError(
                "PostgreSQL is not installed (initdb, postgres and psql were looked for in /usr/lib/postgresql/*/bin "
                    + "and in PATH). On Debian and Ubuntu: apt-get install --no-install-recommends postgresql")
        }
        return PostgresBinaries(initdb: initdb, postgres: postgres, psql: psql)
    }
}

/// Where the Redis server is.
enum RedisBinary {
    /// `redis-server` if it is installed. Debian's package redis-tools, which brings no service, ships the very same
    /// program as `redis-check-rdb`: it decides by its name what it is, so a link in `folder` makes it the server.
    /// - Throws: `LocalStackError` that says what to install.
    static func find(linkingIn folder: String) throws -> String {
        if let server = ExecutableSearch.inPath("redis-server") ?? ExecutableSearch.inPath("valkey-server") {
            return server
        }
        guard let checker = ExecutableSearch.inPath("redis-check-rdb") ?? ExecutableSearch.inPath("valkey-check-rdb")
        else {
            throw LocalStackError(
                "Redis is not installed (neither redis-server nor redis-check-rdb is in PATH). "
                    + "On Debian and Ubuntu: apt-get install --no-install-recommends redis-tools")
        }
        let link = "\(folder)/redis-server"
        unlink(link)
        guard symlink(checker, link) == 0 else { throw LocalStackError.systemCall("symlink \(link)", errno: errno) }
        return link
    }
}
