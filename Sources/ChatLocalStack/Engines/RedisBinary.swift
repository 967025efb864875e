import Foundation

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
