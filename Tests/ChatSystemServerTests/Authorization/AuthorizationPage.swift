import ChatTestSupport
import Foundation

/// The tables of docs/security.md, which the tests are made of.
struct AuthorizationPage: Sendable {
    /// One who asks for something, in the order of the columns.
    enum Caller: String, CaseIterable, Sendable {
        case noToken = "no token"
        case badToken = "bad token"
        case stranger
        case member
        case admin
        case owner
        case sender
        case removed = "removed member"
    }

    /// A table by the heading above it.
    enum Section: String, CaseIterable, Sendable {
        case hidden = "In a `group` or `private` room"
        case open = "In a `public` room"
        case direct = "In a `direct` room"
        case archivedHidden = "In an archived `group` or `private` room"
        case archivedOpen = "In an archived `public` room"
        case elsewhere = "Everywhere else"
    }

    struct Row: Sendable {
        let section: Section
        let action: String
        /// A status, a close code or what comes over the socket; `–` for a caller that such a room cannot have.
        let outcomes: [String]

        func outcome(_ caller: Caller) -> String { outcomes[Caller.allCases.firstIndex(of: caller) ?? 0] }
    }

    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    static let impossible = "–"

    static let read: Result<AuthorizationPage, any Error> = Result { try AuthorizationPage() }
    static var roomRows: [Row] { allRows.filter { $0.section != .elsewhere } }
    static var otherRows: [Row] { allRows.filter { $0.section == .elsewhere } }
    /// None where the page cannot be read, which is a test of its own.
    private static var allRows: [Row] { (try? read.get())?.rows ?? [] }

    /// The first column of each of these tables; the page has others, too.
    private static let actionColumn = "action"

    let rows: [Row]

    /// - Throws: ``Unreadable`` for a table of actions without a known heading, for other columns and for rows of other
    ///   length.
    init() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../docs/security.md")
        let lines = try String(contentsOf: file, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        var rows: [Row] = []
        var section: Section?
        var isInTable = false
        var isOfActions = false
        for line in lines {
            if line.hasPrefix("#") { section = Section(rawValue: line.drop { $0 == "#" || $0 == " " }.description) }
            guard line.hasPrefix("|") else {
                isInTable = false
                continue
            }
            let cells = line.dropFirst().dropLast().split(separator: "|").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            if !isInTable { isOfActions = cells.first == Self.actionColumn }
            defer { isInTable = true }
            guard isOfActions else { continue }
            guard let section else {
                throw Unreadable(description: "a table under a heading unknown to the test: \(line)")
            }
            guard isInTable else {
                guard Array(cells.dropFirst()) == Caller.allCases.map(\.rawValue) else {
                    throw Unreadable(description: "other columns than those of the test: \(line)")
                }
                continue
            }
            guard cells.count == Caller.allCases.count + 1 else { throw Unreadable(description: "not a row: \(line)") }
            guard !cells.contains(where: { $0.hasPrefix("---") }) else { continue }
            rows.append(Row(section: section, action: cells[0], outcomes: Array(cells.dropFirst())))
        }
        self.rows = rows
    }

    /// Each call that has a row, as a description names it, without `/api/v1`.
    var calls: Set<String> {
        Set(rows.compactMap { row in row.action.firstMatch(of: /^`([A-Z]+ [^`]+)`/).map { String($0.output.1) } })
    }
}
