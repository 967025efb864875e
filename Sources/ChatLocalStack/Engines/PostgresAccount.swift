import Foundation

/// The account that runs PostgreSQL. It refuses to run as root, so root runs it as the user `postgres` through `setpriv(1)`.
enum PostgresAccount {
    /// This process's own user.
    case own
    /// The user `postgres`; with `passesFolders` it keeps the capability to reach files that its user may not
    /// (`capabilities(7)`), for a checkout below a folder such as `/root`.
    case postgres(setpriv: String, passesFolders: Bool)

    private static let user = "postgres"

    /// Chooses the account that can work in `folder`, and hands the folder to it.
    static func choose(for folder: String) async throws -> PostgresAccount {
        guard geteuid() == 0 else { return .own }
        guard let entry = getpwnam(user) else {
            throw LocalStackError(
                "PostgreSQL refuses to run as root and there is no user '\(user)'. "
                    + "Install the package postgresql, or run this as an ordinary user.")
        }
        guard let setpriv = ExecutableSearch.inPath("setpriv") else {
            throw LocalStackError(
                "setpriv (package util-linux) is needed to run PostgreSQL as '\(user)'; or run this as an ordinary user."
            )
        }
        guard chown(folder, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0 else {
            throw LocalStackError.systemCall("chown \(folder)", errno: errno)
        }
        for account in [
            PostgresAccount.postgres(setpriv: setpriv, passesFolders: false),
            .postgres(setpriv: setpriv, passesFolders: true),
        ]
        where try await account.canUse(folder) {
            return account
        }
        throw LocalStackError(
            "The user '\(user)' cannot reach \(folder). Use a folder it can reach (--data-dir), make the folders above "
                + "it passable (chmod o+x), or run this as an ordinary user.")
    }

    /// The command as this account runs it.
    func running(_ executable: String, _ arguments: [String]) -> (executable: String, arguments: [String]) {
        guard case .postgres(let setpriv, let passesFolders) = self else { return (executable, arguments) }
        var options = ["--reuid", Self.user, "--regid", Self.user, "--init-groups"]
        if passesFolders {
            let capabilities = "+dac_override,+dac_read_search"
            options += ["--inh-caps", capabilities, "--ambient-caps", capabilities]
        }
        return (setpriv, options + [executable] + arguments)
    }

    private func canUse(_ folder: String) async throws -> Bool {
        let command = running("/bin/sh", ["-c", #"cd "$1" && test -w ."#, "sh", folder])
        let process = try LocalProcess(.init(command.executable, command.arguments))
        return try await process.waitForExit() == .exited(0)
    }
}
