/// The version of the servers and the tool, which are released together.
public enum ChatVersion {
    /// A semantic version (semver.org). `./chat --version` and `scripts/` read it from this line.
    public static let current = "0.2.0-dev"
}
