// Goal: what the house's rules say and a machine can see is so, everywhere; and each rule does see
// what breaks it.

import Testing

/// What a rule found must be nothing; says all of it.
private func expectNone(_ found: [String]) {
    #expect(found.isEmpty, "\n\(found.joined(separator: "\n"))")
}

@Suite struct TidyTests {
    let tree = SourceTree.checkout

    @Test func `the tree is there`() {
        #expect(tree.swift("Sources/").count > 50)
        #expect(tree.swift("Tests/").count > 10)
        #expect(tree.targets.count > 15)
        let folders = Set(
            tree.swift("Sources/").compactMap { $0.place }.filter { $0.wing != "Shims" }
                .map { "\($0.wing)/\($0.target)" })
        let declared = Set(
            tree.targets.filter { $0.wing != "Tests" }.map { "\($0.wing)/\($0.name)" })
        #expect(folders == declared, "each folder of Sources is a target, and no other is")
    }

    @Test func `nothing is left for later`() {
        expectNone(TidyRules.unfinished(tree.files.filter { !$0.path.hasPrefix("Tests/Tidy") }))
    }

    @Test func `lines and files are of a readable size`() {
        expectNone(TidyRules.size(tree.swift()))
    }

    @Test func `Foundation stays out of the core, the log, the host and their daemons`() {
        expectNone(TidyRules.foundation(tree.swift("Sources/")))
    }

    @Test func `imports go one way, and are declared`() {
        expectNone(TidyRules.imports(tree.swift("Sources/"), tree.targets))
        for (shim, users) in TidyRules.shims {
            let declared = tree.targets.filter { $0.dependencies.contains(shim) }.map(\.name)
            #expect(Set(declared) == users, "who depends on \(shim)")
        }
    }

    @Test func `declared dependencies are those that are imported`() {
        expectNone(TidyRules.unused(tree.swift(), tree.targets))
        expectNone(TidyRules.undeclared(tree.swift("Tests/"), tree.targets))
    }

    @Test func `a type's name means one thing`() {
        expectNone(TidyRules.ambiguous(tree.swift("Sources/")))
        expectNone(TidyRules.shadowing(tree.swift("Sources/")))
    }

    @Test func `an error is called one`() {
        expectNone(TidyRules.misnamedErrors(tree.swift("Sources/")))
    }

    @Test func `the map says to whom the shims belong`() throws {
        let map = try #require(tree.files.first { $0.path == "Sources/README.md" })
        let text = map.lines.joined(separator: " ")
        let sentence = TidyRules.shimsSentence
        #expect(text.contains(sentence), "it should say: \(sentence)")
    }

    @Test func `the map's drawing of imports is that of Package.swift`() throws {
        let map = try #require(tree.files.first { $0.path == "Sources/README.md" })
        let drawing = TidyRules.drawing(tree.targets)
        let start = try #require(map.lines.firstIndex { $0.contains("Core/Terms  ") })
        let end = try #require(map.lines[start...].firstIndex { $0.hasPrefix("```") })
        let drawn = Array(map.lines[start..<end])
        #expect(drawn == drawing, "it should be\n\(drawing.joined(separator: "\n"))")
    }

    @Test func `there is no floating point where money and order are`() {
        for folder in ["Sources/Core/", "Sources/Log/", "Sources/Wallet/"] {
            expectNone(TidyRules.floatingPoint(tree.swift(folder)))
        }
    }

    @Test func `what the compiler does not check is explained`() {
        expectNone(TidyRules.unchecked(tree.swift("Sources/")))
    }

    @Test func `public declarations are documented`() {
        expectNone(TidyRules.undocumented(tree.swift("Sources/")))
    }

    @Test func `every refusal is spoken of in a test`() throws {
        let refusals = try #require(
            tree.files.first { $0.path == "Sources/Core/Terms/Refusal.swift" })
        expectNone(
            TidyRules.untested(
                refusals,
                tree.files.filter { $0.path.hasPrefix("Tests/") && !$0.path.contains("Tidy") }))
    }

    @Test func `tests are named by sentences`() {
        expectNone(
            TidyRules.unnamedTests(tree.swift("Tests/").filter { !$0.path.contains("Tidy") }))
    }

    @Test func `the version is in one place, and is the packages'`() throws {
        let changelog = try #require(
            tree.files.first { $0.path == "packaging/debian/changelog" }?.lines.first)
        let version = try #require(changelog.firstMatch(of: /^bourse \(([^)]+)\)/)?.output.1)
        let places = tree.swift("Sources/").filter { file in
            file.lines.contains { $0.contains("\"\(version)") || $0.contains(" \(version)\"") }
        }
        #expect(places.map(\.path) == ["Sources/System/Platform/Release.swift"])
    }

    @Test func `no file knows a path of one machine`() {
        expectNone(TidyRules.foreignPaths(tree.files.filter { !$0.path.contains("Tidy") }))
    }
}

/// Each rule against a file that breaks it, and one that does not.
@Suite struct TidyCanaryTests {
    private func file(
        _ text: String, at path: String = "Sources/Core/Engine/A.swift"
    ) -> [SourceFile] {
        [SourceFile(path: path, text: text)]
    }

    @Test func `work that is left is seen`() {
        #expect(TidyRules.unfinished(file("a\n// TO" + "DO: b")).count == 1)
        #expect(TidyRules.unfinished(file("fatal" + "Error(\"no\")")).count == 1)
        #expect(TidyRules.unfinished(file("let template = \"XXXXXX\"")).isEmpty)
    }

    @Test func `a dependency that nothing imports is seen, and one that is not declared`() {
        let targets = [DeclaredTarget(wing: "Log", name: "Link", dependencies: ["Terms", "Wire"])]
        let one = file("import Terms", at: "Sources/Log/Link/A.swift")
        #expect(TidyRules.unused(one, targets).count == 1)
        let both = one + file("internal import Wire", at: "Sources/Log/Link/B.swift")
        #expect(TidyRules.unused(both, targets).isEmpty)
        let tests = [DeclaredTarget(wing: "Tests", name: "LogTests", dependencies: ["Link"])]
        for (text, count) in [("import Wire", 1), ("@testable import Link", 0)] {
            let file = file(text, at: "Tests/LogTests/A.swift")
            #expect(TidyRules.undeclared(file, tests).count == count)
        }
    }

    @Test func `a duplicate type name is found`() {
        let one = file("public struct A {}\n    struct B {}", at: "Sources/Log/Link/A.swift")
        let other = file("@frozen enum A {\n    struct B {}", at: "Sources/Core/Wire/A.swift")
        #expect(TidyRules.ambiguous(one + other).count == 1)
        #expect(TidyRules.ambiguous(one).isEmpty)
    }

    @Test func `a nested type with the name of a public one is found`() {
        let one = file("@frozen public struct A {}\nstruct B {}", at: "Sources/Core/Wire/A.swift")
        for (text, count) in [
            ("    public enum A {", 1), ("    final class A {", 1), ("        struct A: B {", 1),
            ("    private struct A {", 0), ("    struct B {", 0), ("    // struct A {", 0),
        ] {
            let other = file(text, at: "Sources/Log/Link/A.swift")
            #expect(TidyRules.shadowing(one + other).count == count, "\(text)")
        }
    }

    @Test func `an error of another name is found`() {
        for (text, count) in [
            ("    enum Fault: Error {", 1), ("public struct A: Hashable, Error, B {", 1),
            ("struct AError: Error {", 0), ("enum ARefusal: UInt8, Error {", 0),
            ("struct A: ErrorList {", 0),
        ] {
            #expect(TidyRules.misnamedErrors(file(text)).count == count, "\(text)")
        }
    }

    @Test func `imports are drawn`() {
        let targets = [
            DeclaredTarget(wing: "Core", name: "Terms", dependencies: []),
            DeclaredTarget(wing: "Core", name: "Wire", dependencies: ["Terms"]),
        ]
        #expect(TidyRules.drawing(targets) == [" 1 Core/Terms  ▪", " 2 Core/Wire   ● ▪"])
    }

    @Test func `long lines and long files are seen`() {
        #expect(TidyRules.size(file(String(repeating: "é", count: 101))).count == 1)
        #expect(TidyRules.size(file(String(repeating: "é", count: 100))).isEmpty)
        #expect(TidyRules.size(file(String(repeating: "\n", count: 601))).count == 1)
        #expect(TidyRules.size(file(String(repeating: "\n", count: 600))).isEmpty)
    }

    @Test(arguments: [
        "import Foundation", "public import FoundationEssentials", "import struct Foundation.Data",
        "@preconcurrency import Foundation",
    ])
    func `Foundation is seen`(text: String) {
        #expect(TidyRules.foundation(file(text)).count == 1)
        #expect(TidyRules.foundation(file("// \(text)")).isEmpty)
        #expect(TidyRules.foundation(file(text, at: "Sources/Daemons/matchd/a.swift")).count == 1)
        #expect(TidyRules.foundation(file(text, at: "Sources/Gateway/History/a.swift")).isEmpty)
    }

    @Test func `imports that go the wrong way are seen`() {
        let targets = SourceTree.targets(
            """
            wing("Core", "Terms", ["Engine"]),
            wing("Core", "Engine", ["Terms", "CLinux", "Journal"], exclude: ["RULES.md"]),
            wing(
                "Log", "Journal",
                ["Terms", "Engine"]),
            daemon(
                "matchd", ["Journal", logging] + nio),
            """)
        #expect(targets.map(\.name) == ["Terms", "Engine", "Journal", "matchd"])
        #expect(targets[3].dependencies.isSuperset(of: ["Journal", "Logging", "NIOCore"]))
        func found(_ module: String, _ path: String) -> [String] {
            TidyRules.imports(file("import \(module)", at: path), targets)
        }
        #expect(found("Terms", "Sources/Core/Engine/A.swift").isEmpty)
        #expect(found("Glibc", "Sources/Core/Engine/A.swift").isEmpty)
        #expect(found("Engine", "Sources/Core/Terms/A.swift")[0].contains("stands behind"))
        #expect(found("Journal", "Sources/Core/Engine/A.swift")[0].contains("stands behind"))
        #expect(found("CLinux", "Sources/Core/Engine/A.swift")[0].contains("is not for"))
        #expect(found("NIOCore", "Sources/Daemons/matchd/a.swift")[0].contains("is not for"))
        #expect(found("Link", "Sources/Log/Journal/A.swift")[0].contains("no dependency"))
        #expect(found("Terms", "Sources/Log/Other/A.swift")[0].contains("no target"))
    }

    @Test func `floating point is seen`() {
        #expect(TidyRules.floatingPoint(file("let a: Double = 1")).count == 1)
        #expect(TidyRules.floatingPoint(file("// Double\nlet b = \"Float\"\nDoubled()")).isEmpty)
    }

    @Test func `what is not explained is seen`() {
        #expect(TidyRules.unchecked(file("let a = try" + "! b()")).count == 1)
        #expect(TidyRules.unchecked(file("final class A: @unchecked Sendable {")).count == 1)
        #expect(TidyRules.unchecked(file("/// Why.\nclass A: @unchecked Sendable {")).isEmpty)
        #expect(
            TidyRules.unchecked(file("/// Why.\n@safe\nclass A: @unchecked Sendable {")).isEmpty)
    }

    @Test(arguments: [
        "public struct A {", "    public init() {", "    @inlinable public var a: Int { 1 }",
        "    public private(set) var a = 1", "    public static func a() {",
        "    public mutating func a() {", "@frozen public enum A {",
    ])
    func `public declarations without a word are seen`(line: String) {
        #expect(TidyRules.undocumented(file(line)).count == 1)
        #expect(TidyRules.undocumented(file("/// Word.\n\(line)")).isEmpty)
        #expect(TidyRules.undocumented(file("/// Word.\n@inlinable\n\(line)")).isEmpty)
        #expect(TidyRules.undocumented(file(line.replacing("public", with: "package"))).isEmpty)
    }

    @Test func `refusals that no test speaks of are seen`() {
        let refusals = SourceFile(path: "R.swift", text: "    case bad = 1\n    case worse = 2")
        #expect(
            TidyRules.untested(refusals, file("expect(.bad)")) == [
                "no test speaks of the refusal worse"
            ])
    }

    @Test func `tests without a sentence are seen`() {
        #expect(TidyRules.unnamedTests(file("    @Test func works() {")).count == 1)
        #expect(TidyRules.unnamedTests(file("    @Test func `it works`() {")).isEmpty)
        let split = "@Test(arguments: [\n1])\nfunc `a b`(a: Int) {"
        #expect(TidyRules.unnamedTests(file(split)).isEmpty)
    }

    @Test func `paths of one machine are seen`() {
        #expect(TidyRules.foreignPaths(file("// see /ho" + "me/me/a")).count == 1)
        #expect(TidyRules.foreignPaths(file("// see /var/lib/bourse")).isEmpty)
        #expect(TidyRules.foreignPaths(file("print(#filePath)")).count == 1)
    }
}
