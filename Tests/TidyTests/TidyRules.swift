// What is tidy, each rule by itself: from files to the places that break it, as `path:line: why`.

/// The rules.
enum TidyRules {
    /// Longest line of a Swift file, in characters.
    static let columnsMax = 100
    /// Longest Swift file, in lines.
    static let linesMax = 600

    /// The targets in their order: each imports only what stands before it. Shims come first.
    static let order = [
        "CLinux", "CCycles", "CSystemd", "CCrypto", "CSSL", "CSecp", "CToken", "CNetSNMP",
        "Terms", "JSON", "Slabs", "Wire", "Engine", "Bench",
        "Platform", "Secrets", "Tokens", "Configuration", "DaemonKit", "Requests",
        "Addresses", "Keys", "UTXO", "EVM", "Payments", "Liabilities", "SignerAPI", "Nodes",
        "Deposits",
        "Failover", "Control", "Coordination",
        "Journal", "Link", "Pipeline", "Replication", "Replica", "Follower", "Audit",
        "Custodian", "Signing",
        "MarketData", "History", "SpotAPI", "Gateway",
        "AgentAPI", "HelperAPI", "Checks", "Helper", "Agent", "SNMP", "DevicePoller", "Subagent",
        "Presentation", "BoursectlCommands",
        "matchd", "auditd", "gatewayd", "walletd", "signerd", "helper", "agentd", "poller",
        "snmp", "boursectl",
    ]

    /// The wings that the targets of a wing may import from, shims aside.
    static let wings: [String: Set<String>] = [
        "Core": ["Core"],
        "System": ["Core", "System"],
        "Log": ["Core", "System", "HA", "Log"],
        "HA": ["Core", "System", "HA"],
        "Gateway": ["Core", "System", "Wallet", "Log", "Gateway"],
        "Host": ["Core", "System", "Host"],
        "Wallet": ["Core", "System", "Log", "Wallet"],
        "CLI": ["Core", "System", "Wallet", "HA", "Log", "Host", "CLI"],
        "Daemons": ["Core", "System", "HA", "Log", "Gateway", "Host", "Wallet", "CLI"],
    ]

    /// Which targets use a shim.
    static let shims: [String: Set<String>] = [
        "CLinux": ["Slabs", "Platform", "Journal"],
        "CCycles": ["Bench"],
        "CSystemd": ["Platform"],
        "CCrypto": ["Secrets"],
        "CSSL": ["Secrets"],
        "CSecp": ["Keys"],
        "CToken": ["Tokens"],
        "CNetSNMP": ["DevicePoller", "Subagent"],
    ]

    /// Which targets use a package.
    static let packages: [String: Set<String>] = [
        "NIOCore": ["Gateway", "gatewayd", "Agent", "Coordination", "Requests"],
        "NIOPosix": ["Gateway", "gatewayd", "Agent", "Coordination", "Requests"],
        "NIOHTTP1": ["Gateway", "gatewayd", "Agent", "Requests"],
        "NIOWebSocket": ["Gateway", "gatewayd"],
        "NIOSSL": ["Gateway", "Coordination", "Requests"],
        "Logging": [
            "DaemonKit", "Gateway", "matchd", "auditd", "gatewayd", "walletd", "signerd", "agentd",
            "helper",
        ],
        "GRDB": ["History"],
        "Histogram": ["Pipeline", "BoursectlCommands"],
        "DequeModule": ["Agent", "Subagent", "MarketData"],
        "ArgumentParser": ["BoursectlCommands"],
    ]

    /// What comes with the system and may be imported anywhere.
    static let system: Set<String> = ["Glibc", "Synchronization", "Dispatch"]

    /// Work that was left for later.
    static func unfinished(_ files: [SourceFile]) -> [String] {
        let marks = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "H" + "ACK"]
        let trap = "fatal" + "Error("
        return find(files) { line in
            for mark in marks
            where line.contains(mark)
                && line.split(whereSeparator: { !$0.isLetter }).contains(Substring(mark))
            {
                return "\(mark) is left"
            }
            return line.contains(trap) ? "use precondition with a static message" : nil
        }
    }

    /// Lines beyond the last column, and files beyond the last line.
    static func size(_ files: [SourceFile]) -> [String] {
        find(files) { line in
            line.count > columnsMax ? "\(line.count) columns, at most \(columnsMax)" : nil
        }
            + files.filter { $0.lines.count - 1 > linesMax }
            .map { "\($0.path): \($0.lines.count - 1) lines, at most \(linesMax)" }
    }

    /// Foundation where it must not be.
    static func foundation(_ files: [SourceFile]) -> [String] {
        let free: Set<String> = ["Core", "System", "Log", "HA", "Host", "matchd", "auditd"]
        return files.flatMap { file -> [String] in
            guard let place = file.place else { return [] }
            guard free.contains(place.wing) || free.contains(place.target) else { return [] }
            return file.imports.filter { $0.module.hasPrefix("Foundation") }
                .map { "\(file.path):\($0.line): no Foundation here" }
        }
    }

    /// Imports that go the wrong way, or that Package.swift does not declare.
    static func imports(_ files: [SourceFile], _ targets: [DeclaredTarget]) -> [String] {
        let wingOf = Dictionary(targets.map { ($0.name, $0.wing) }, uniquingKeysWith: { a, _ in a })
        return files.flatMap { file -> [String] in
            guard let place = file.place, place.wing != "Shims" else { return [] }
            let own = targets.first { $0.name == place.target && $0.wing == place.wing }
            guard let own else { return ["\(file.path): its folder is no target"] }
            return file.imports.compactMap { line, module in
                let why = misplaced(module, place, own, wingOf[module])
                return why.map { "\(file.path):\(line): \($0)" }
            }
        }
    }

    private static func misplaced(
        _ module: String, _ place: (wing: String, target: String), _ own: DeclaredTarget,
        _ wing: String?
    ) -> String? {
        if system.contains(module) || module.hasPrefix("Foundation") { return nil }
        guard own.dependencies.contains(module) else {
            return "\(module) is no dependency of \(place.target) in Package.swift"
        }
        if let users = packages[module] ?? shims[module] {
            return users.contains(place.target) ? nil : "\(module) is not for \(place.target)"
        }
        guard let there = order.firstIndex(of: module),
            let here = order.firstIndex(of: place.target)
        else { return "\(module) or \(place.target) has no place in the order of targets" }
        if there >= here { return "\(module) stands behind \(place.target)" }
        guard let wing, wings[place.wing]?.contains(wing) == true else {
            return "\(place.wing) does not import from \(wing ?? "there")"
        }
        return nil
    }

    /// What Package.swift declares and no file of the target imports.
    static func unused(_ files: [SourceFile], _ targets: [DeclaredTarget]) -> [String] {
        targets.flatMap { target -> [String] in
            let own = files.filter { $0.place.map { $0 == (target.wing, target.name) } ?? false }
            let imported = Set(own.flatMap { $0.imports.map(\.module) })
            return target.dependencies.subtracting(imported).sorted()
                .map { "Package.swift: \(target.name) depends on \($0) and imports it nowhere" }
        }
    }

    /// What a test target imports and Package.swift does not declare.
    static func undeclared(_ files: [SourceFile], _ targets: [DeclaredTarget]) -> [String] {
        files.flatMap { file -> [String] in
            guard let place = file.place, place.wing == "Tests" else { return [] }
            let own = targets.first { $0.wing == "Tests" && $0.name == place.target }
            return file.imports.compactMap { line, module in
                if system.contains(module) || module.hasPrefix("Foundation") { return nil }
                if module == "Testing" || own?.dependencies.contains(module) == true { return nil }
                return "\(file.path):\(line): \(module) is no dependency of \(place.target)"
            }
        }
    }

    /// Types of one name in several places: a name means one thing in the whole tree.
    static func ambiguous(_ files: [SourceFile]) -> [String] {
        let declaration =
            #/
            ^(?: (?:public|package|internal|private|fileprivate|final|indirect)\s
                | @\w+(?:\([^)]*\))?\s )*
            (?:struct|class|enum|protocol|actor|typealias)\s+(\w+)
            /#
        var places: [String: [String]] = [:]
        for file in files where file.place != nil && file.place?.wing != "Tests" {
            for (index, line) in file.code.enumerated() {
                guard let name = line.firstMatch(of: declaration)?.output.1 else { continue }
                places[String(name), default: []].append("\(file.path):\(index + 1)")
            }
        }
        return places.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }
            .map { "\($0.value.joined(separator: ", ")): several types are called \($0.key)" }
    }

    /// Nested types that others see and that have the name of a public type at the top of a file:
    /// where both are known, a reader has to guess which one is meant.
    static func shadowing(_ files: [SourceFile]) -> [String] {
        let sources = files.filter { $0.place != nil && $0.place?.wing != "Tests" }
        let top = /^(?:@\w+ )*(?:public|package) .*?\b(?:struct|class|enum|protocol|actor) (\w+)/
        let nested = /^ +(?:@\w+ )*((?:\w+ )*?)(?:struct|class|enum|protocol|actor) (\w+)/
        var places: [String: String] = [:]
        for file in sources {
            for (index, line) in file.code.enumerated() {
                guard let name = line.firstMatch(of: top)?.output.1 else { continue }
                places[String(name)] = "\(file.path):\(index + 1)"
            }
        }
        return sources.flatMap { file in
            file.code.enumerated().compactMap { index, line -> String? in
                guard line.hasPrefix(" "), let found = line.firstMatch(of: nested)?.output,
                    !found.1.contains("private"), let place = places[String(found.2)]
                else { return nil }
                return "\(file.path):\(index + 1): \(found.2) is called as the type of \(place)"
            }
        }
    }

    /// Errors whose name does not say so. A refusal is a word of its own, see the map.
    static func misnamedErrors(_ files: [SourceFile]) -> [String] {
        let declaration = /^\s*(?:[\w@]+ )*(?:struct|class|enum) (\w+)\s*:(?:.*[ ,])?Error\b/
        return find(files.filter { $0.place?.wing != "Tests" }) { line in
            guard line.contains("Error"), let name = line.firstMatch(of: declaration)?.output.1,
                !name.hasSuffix("Error"), !name.hasSuffix("Refusal")
            else { return nil }
            return "\(name) is an error: let its name end so"
        }
    }

    /// The sentence of the map that says to whom the shims belong.
    static var shimsSentence: String {
        let parts = shims.map { shim, users in
            let names = order.filter { users.contains($0) }
            let all =
                names.count < 2
                ? names.joined()
                : names.dropLast().joined(separator: ", ") + " and " + (names.last ?? "")
            return (order.firstIndex(of: shim) ?? 0, "`\(shim)` to \(all)")
        }
        return parts.sorted { $0.0 < $1.0 }.map(\.1).joined(separator: ", ") + "."
    }

    /// Which target imports which, one row and one column each in their order: all marks stand
    /// left of the diagonal, since a target imports only from those before it.
    static func drawing(_ targets: [DeclaredTarget]) -> [String] {
        let drawn = order.filter { shims[$0] == nil }
            .compactMap { name in targets.first { $0.name == name && $0.wing != "Tests" } }
        let width = drawn.map { $0.wing.count + $0.name.count + 1 }.max() ?? 0
        return drawn.enumerated().map { row, target in
            let name = "\(target.wing)/\(target.name)"
            let marks = drawn[..<row].map { target.dependencies.contains($0.name) ? "●" : "·" }
            let number = row < 9 ? " \(row + 1)" : "\(row + 1)"
            let gap = String(repeating: " ", count: width - name.count + 2)
            return "\(number) \(name)\(gap)\((marks + ["▪"]).joined(separator: " "))"
        }
    }

    /// Floating point where money and order are.
    static func floatingPoint(_ files: [SourceFile]) -> [String] {
        findCode(files) { line in
            guard line.contains("Double") || line.contains("Float") else { return nil }
            return line.contains(/\b(Double|Float|Float16|Float80|CGFloat)\b/)
                ? "no floating point here" : nil
        }
    }

    /// What a reader may not rely on without a word of why.
    static func unchecked(_ files: [SourceFile]) -> [String] {
        files.flatMap { file -> [String] in
            let code = file.code
            return code.indices.compactMap { index in
                guard
                    code[index].contains("!") || code[index].contains("Sendable")
                        || code[index].contains("(unsafe)")
                else { return nil }
                if code[index].contains(/\b(try|as)!/) {
                    return "\(file.path):\(index + 1): handle it, or say why it cannot fail"
                }
                guard code[index].contains(/@unchecked Sendable|nonisolated\(unsafe\)/) else {
                    return nil
                }
                var above = index - 1
                while above >= 0,
                    file.lines[above].contains(/^\s*@/)
                { above -= 1 }
                let isExplained =
                    file.lines[index].contains("//")
                    || above >= 0 && file.lines[above].contains(/^\s*\/\//)
                return isExplained ? nil : "\(file.path):\(index + 1): say above why it is safe"
            }
        }
    }

    /// Public declarations without a word above them. Requirements that the standard library or a
    /// documented protocol explains are left out.
    static func undocumented(_ files: [SourceFile]) -> [String] {
        let declaration =
            #/
            ^\s* (?:@[\w()]+\s+)* public\s (?:\w+(?:\([a-z]+\))?\s)*
            (?:struct|class|enum|actor|protocol|func|var|let|init|subscript|typealias) \b
            /#
        let known =
            #/
            func\shash\(into | func\sencode\(into | init\(from | static\sfunc\s(?:==|<)
            | func\s(?:run|validate|next|makeIterator)\(\) | var\sdescription:\sString
            | static\svar\skind:\sCommandKind
            | func\s(?:channel\w+|handler\w+|write|read|flush|errorCaught)\(context
            | func\suserInboundEventTriggered\(context
            /#
        return files.flatMap { file -> [String] in
            file.lines.indices.compactMap { index in
                let line = file.lines[index]
                guard line.contains("public "), line.contains(declaration),
                    !line.contains(known)
                else { return nil }
                var above = index - 1
                while above >= 0, file.lines[above].contains(/^\s*@/) { above -= 1 }
                if above >= 0, file.lines[above].contains(/^\s*\/\/\//) { return nil }
                return "\(file.path):\(index + 1): no /// above it"
            }
        }
    }

    /// Refusals that no test speaks of.
    static func untested(_ refusals: SourceFile, _ tests: [SourceFile]) -> [String] {
        let text = tests.map { $0.lines.joined(separator: "\n") }.joined(separator: "\n")
        let words = Set(text.matches(of: /\.(\w+)/).map { String($0.output.1) })
        return refusals.code.compactMap { line in
            guard let name = line.firstMatch(of: /^    case (\w+) = \d+/)?.output.1 else {
                return nil
            }
            return words.contains(String(name)) ? nil : "no test speaks of the refusal \(name)"
        }
    }

    /// Tests whose name is no sentence.
    static func unnamedTests(_ files: [SourceFile]) -> [String] {
        files.flatMap { file -> [String] in
            let code = file.lines
            return code.indices.compactMap { index -> String? in
                guard code[index].contains("@Test"), code[index].contains(/^\s*@Test\b/)
                else { return nil }
                let rest = code[index..<min(index + 80, code.count)]
                guard let line = rest.first(where: { $0.contains(/\bfunc\s/) }),
                    !line.contains(/func `[^`]+`/)
                else { return nil }
                return "\(file.path):\(index + 1): name the test by a sentence"
            }
        }
    }

    /// Paths of some machine, and what would write the path of the file that is compiled into a
    /// message.
    static func foreignPaths(_ files: [SourceFile]) -> [String] {
        let roots = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"]
        return find(files) { line in
            roots.contains { line.contains($0) } ? "a path of one machine" : nil
        }
            + findCode(files.filter { $0.path.hasPrefix("Sources/") }) { line in
                line.contains(/#file(Path|ID)?\b/) ? "a path of one machine, when compiled" : nil
            }
    }

    private static func find(
        _ files: [SourceFile], _ why: (String) -> String?
    ) -> [String] {
        files.flatMap { file in
            file.lines.enumerated().compactMap { index, line in
                why(line).map { "\(file.path):\(index + 1): \($0)" }
            }
        }
    }

    private static func findCode(
        _ files: [SourceFile], _ why: (String) -> String?
    ) -> [String] {
        files.flatMap { file in
            file.code.enumerated().compactMap { index, line in
                why(line).map { "\(file.path):\(index + 1): \($0)" }
            }
        }
    }
}
