import ChatLocalStack
import Foundation
import Testing

@testable import ChatCommand

/// A Markdown page, cut into what its tests look at.
private struct Page {
    /// The level of each heading: 1 for `#`, 2 for `##`.
    private(set) var headingLevels: [Int] = []
    /// Each fenced code block with its language.
    private(set) var codeBlocks: [String] = []
    /// The first cells of all tables' rows that hold code: names of variables.
    private(set) var variables: [String] = []
    /// Relative targets of links and pictures, without their anchors.
    private(set) var files: Set<String> = []

    init(_ text: String) {
        var block: [Substring]?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if let open = block {
                block = line == "```" ? nil : open + [line]
                if line == "```" { codeBlocks.append(open.joined(separator: "\n")) }
                continue
            }
            if line.hasPrefix("```") { block = [line] }
            let level = line.prefix { $0 == "#" }.count
            if level > 0 { headingLevels.append(level) }
            if let row = line.firstMatch(of: /^\| (`[^|]+`) \|/) { variables.append(String(row.1)) }
            for link in line.matches(of: /\]\(([^)#:\s]+)(#[^)]*)?\)/) { files.insert(String(link.1)) }
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct DocumentTests {
    @Test func `the Korean README has the headings, commands, variables and links of the English one`() throws {
        let english = try Page(RepositoryText.of("README.md"))
        let korean = try Page(RepositoryText.of("README.ko.md"))
        #expect(english.headingLevels.count > 5 && english.codeBlocks.count > 5)
        #expect(korean.headingLevels == english.headingLevels)
        #expect(korean.codeBlocks == english.codeBlocks)
        #expect(korean.variables == english.variables)
        #expect(korean.files.subtracting(["README.md"]) == english.files.subtracting(["README.ko.md"]))
    }

    @Test func `the READMEs print the first message as chat up does`() async throws {
        let plan = try await UpPlan(trusted: false, dataFolder: nil, ports: [:], environment: [:])
        let welcome = StartupMessage(plan: plan)
        let blocks = try Page(RepositoryText.of("README.md")).codeBlocks
        #expect(blocks.contains("```sh\n" + welcome.tokenPreparation))
        #expect(blocks.contains("```sh\n" + welcome.tokenPost))
        #expect(blocks.contains("```js\n" + welcome.trustedSocket))
        #expect(blocks.contains("```sh\n" + welcome.trustedPost))
    }

    @Test(arguments: [
        "README.md", "README.ko.md", "CHANGELOG.md", "docs/api.md", "docs/architecture.md", "docs/development.md",
        "docs/faults.md", "docs/integration.md", "docs/operations.md", "docs/performance.md", "docs/security.md",
        "docs/storage.md",
        "docs/terminal.md", "docs/web-client.md", "docs/websocket.md",
    ])
    func `links lead to files that exist`(path: String) throws {
        let folder = path.hasPrefix("docs/") ? "docs/" : ""
        for file in try Page(RepositoryText.of(path)).files {
            #expect(RepositoryText.exists(folder + file), "\(path) links to \(file)")
        }
    }

    /// The reading path and the glossary of one, the journeys of the other.
    @Test(arguments: ["docs/development.md", "docs/architecture.md"])
    func `sources that are named exist`(path: String) throws {
        let text = try RepositoryText.of(path)
        for match in text.matches(of: /(?:Sources|Tests)\/[\w\/.+-]+\.\w+/) {
            #expect(RepositoryText.exists(String(match.0)), "\(path) names \(match.0)")
        }
    }

    @Test func `the reading path has ten files`() throws {
        let text = try RepositoryText.of("docs/development.md")
        let path = try #require(text.firstMatch(of: /(?s)<!-- reading path -->(.*?)<!-- end -->/))
        #expect(path.1.matches(of: /(?m)^\d+\. `Sources\/[\w\/.+-]+\.swift`/).count == 10)
    }

    @Test func `dependencies are held to the minor versions that the document lists`() throws {
        let manifest = try RepositoryText.of("Package.swift")
        let document = try RepositoryText.of("docs/development.md")
        let dependencies = manifest.matches(of: /url: "https:\/\/github\.com\/[^\/"]+\/([^"]+)",\s*([^)]*)\)/)
        #expect(dependencies.count > 10)
        for dependency in dependencies {
            let version = try #require(dependency.2.firstMatch(of: /^\.upToNextMinor\(from: "([0-9.]+)"$/))
            #expect(document.contains("\(dependency.1.lowercased()) \(version.1)"))
        }
    }
}
