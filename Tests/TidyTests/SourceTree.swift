// The checkout as text: its files by line, and the targets that Package.swift declares.

import Foundation

/// A text file of the checkout.
struct SourceFile: Sendable {
    /// The path from the checkout's root, as `Sources/Core/Terms/Text.swift`.
    let path: String
    /// Its lines.
    let lines: [String]
    /// The lines without strings on one line and without what follows `//`.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        code = path.hasSuffix(".swift") ? lines.map(Self.code) : lines
    }

    /// A line of code by itself.
    private static func code(_ line: String) -> String {
        let bytes = line.utf8
        guard bytes.contains(UInt8(ascii: "/")) || bytes.contains(UInt8(ascii: "\"")) else {
            return line
        }
        if line.drop(while: { $0 == " " }).hasPrefix("//") { return "" }
        let plain = line.replacing(/"(?:\\.|[^"\\])*"/, with: "\"\"")
        return plain.firstRange(of: "//").map { String(plain[..<$0.lowerBound]) } ?? plain
    }

    /// The folders and the name.
    var parts: [String] { path.split(separator: "/").map(String.init) }

    /// Wing and target, as ("Core", "Terms"), or ("Tests", "CoreTests"); nil elsewhere.
    var place: (wing: String, target: String)? {
        if parts.count >= 4, parts[0] == "Sources" { return (parts[1], parts[2]) }
        return parts.count >= 3 && parts[0] == "Tests" ? (parts[0], parts[1]) : nil
    }

    /// The modules that it imports, with their lines, from 1.
    var imports: [(line: Int, module: String)] {
        code.enumerated().compactMap { index, line in
            guard line.utf8.count < 120, line.contains("import ") else { return nil }
            let pattern =
                /^(?:@\w+\s+)*(?:public |package |internal )?import (?:\w+ )?(\w+)(?:\.\w+)?/
            return line.firstMatch(of: pattern).map { (index + 1, String($0.1)) }
        }
    }
}

/// A target of Package.swift.
struct DeclaredTarget: Sendable {
    /// `Core`, `Daemons`, `Tests` …
    var wing: String
    /// Its name.
    var name: String
    /// What it depends on: targets, and products of packages.
    var dependencies: Set<String>
}

/// The checkout.
struct SourceTree: Sendable {
    /// Every text file that belongs to the project.
    let files: [SourceFile]
    /// What Package.swift declares, shims left out.
    let targets: [DeclaredTarget]

    /// The checkout this file is in.
    static let checkout = SourceTree(
        root: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent())

    init(root: URL) {
        let folders = ["Sources", "Tests", "etc", "systemd", "packaging", ".ci"]
        var files: [SourceFile] = []
        for name in ["Package.swift", "README.md", "Makefile"] {
            Self.read(root.appendingPathComponent(name), name, into: &files)
        }
        for folder in folders {
            let place = root.appendingPathComponent(folder).resolvingSymlinksInPath()
            let paths = FileManager.default.enumerator(atPath: place.path)
            while let path = paths?.nextObject() as? String {
                if path.contains("__pycache__") || path.contains(".pytest_cache") { continue }
                Self.read(place.appendingPathComponent(path), "\(folder)/\(path)", into: &files)
            }
        }
        self.files = files.sorted { $0.path < $1.path }
        let package = files.first { $0.path == "Package.swift" }
        targets = Self.targets(package?.lines.joined(separator: "\n") ?? "")
    }

    /// The Swift files below a folder.
    func swift(_ folder: String = "") -> [SourceFile] {
        files.filter { $0.path.hasSuffix(".swift") && $0.path.hasPrefix(folder) }
    }

    private static func read(_ file: URL, _ path: String, into files: inout [SourceFile]) {
        guard let data = try? Data(contentsOf: file), let text = String(data: data, encoding: .utf8)
        else { return }
        files.append(SourceFile(path: path, text: text))
    }

    /// The targets that `wing(…)`, `daemon(…)`, `tests(…)` and `simulation(…)` of Package.swift
    /// declare.
    static func targets(_ package: String) -> [DeclaredTarget] {
        let call =
            #/
            (wing|daemon|tests|simulation)\(\s*"(\w+)"
            (?:,\s*"(\w+)")?(?:,\s*\[([^\]]*)\](\s*\+\s*nio)?)?
            /#
        return package.matches(of: call).map { match in
            let kind = match.output.1
            let list = match.output.4.map(String.init) ?? ""
            var names = list.replacing(/,\s*package:\s*"[^"]*"/, with: "")
                .matches(of: /"([^"]+)"/).map { String($0.output.1) }
            if list.contains("logging") { names.append("Logging") }
            if list.contains("arguments") { names.append("ArgumentParser") }
            if list.contains("histogram") { names.append("Histogram") }
            if list.contains("deque") { names.append("DequeModule") }
            if list.contains("webSocket") { names.append("NIOWebSocket") }
            if match.output.5 != nil { names += ["NIOCore", "NIOPosix", "NIOHTTP1"] }
            let first = String(match.output.2)
            return DeclaredTarget(
                wing: kind == "wing" ? first : kind == "daemon" ? "Daemons" : "Tests",
                name: match.output.3.map(String.init) ?? first, dependencies: Set(names))
        }
    }
}
