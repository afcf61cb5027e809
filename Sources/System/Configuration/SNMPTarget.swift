// Devices that `bourse-poller` reads: one file each in the directory `snmp.targets`.

/// A device to read over SNMPv3, from its file.
public struct SNMPTarget: Hashable, Sendable {
    /// Its name: the file's without `.toml`. Letters, digits, `-`, `_` and `.`.
    public var name = ""
    /// The address of its SNMP agent. Not a name, which would need a lookup.
    public var address = ListenAddress(host: "", port: 161)
    /// Its kind: `ups`, `pdu`, `switch` or `sensors`.
    public var kind = ""
    /// The SNMP user, with authentication and privacy.
    public var user = ""
    /// The authentication: `SHA`, `SHA-224`, `SHA-256`, `SHA-384` or `SHA-512`.
    public var auth = "SHA-256"
    /// The encryption: `AES`, `AES-192` or `AES-256`.
    public var priv = "AES"
    /// The credential with its passphrases; empty: `snmp_NAME`.
    public var credential = ""
    /// Ports of a switch to read, by ifIndex.
    public var ports: [UInt32] = []
    /// Outlets of a PDU that feed this host, by their numbers.
    public var outlets: [UInt32] = []
    /// The feed of a PDU, as `A`; empty: one of its own.
    public var feed = ""
    /// Further columns to read: a name each, and its object identifier.
    public var walks: [Walk] = []

    /// A column to read.
    public struct Walk: Hashable, Sendable {
        /// Its name in the readings.
        public var name: String
        /// Its object identifier.
        public var numbers: [UInt32]
    }

    /// Maximum devices.
    public static var countMax: Int { 64 }

    /// Reads a file's text. `file` is its absolute path.
    public static func parse(_ text: [UInt8], file: String) throws(SettingsError) -> SNMPTarget {
        var target = SNMPTarget()
        let last = file.split(separator: "/").last.map(String.init) ?? ""
        target.name = last.hasSuffix(".toml") ? String(last.dropLast(5)) : last
        var document = TOMLDocument(parsing: text)
        func refuse(_ line: Int?, _ key: String, _ text: String) {
            document.problems.append(SettingsError.Problem(line: line, key: key, text: text))
        }
        if !isName(target.name) { refuse(nil, "", "a target's name has letters, digits, -, _, .") }
        for entry in document.entries {
            guard case .string(let text) = entry.value else {
                refuse(entry.line, entry.key, "expected a string in quotes")
                continue
            }
            if let problem = target.set(entry.key, text) { refuse(entry.line, entry.key, problem) }
        }
        for (key, isMissing) in [
            ("address", target.address.host.isEmpty), ("kind", target.kind.isEmpty),
            ("user", target.user.isEmpty),
        ] where isMissing && !document.entries.contains(where: { $0.key == key }) {
            refuse(nil, key, "is missing")
        }
        if target.kind == "switch", target.ports.isEmpty {
            refuse(nil, "ports", "a switch needs the ports to read, as \"1 2 17\"")
        }
        if target.credential.isEmpty { target.credential = "snmp_\(target.name)" }
        guard document.problems.isEmpty else {
            throw SettingsError(
                file: file, problems: document.problems.sorted { ($0.line ?? 0) < ($1.line ?? 0) })
        }
        return target
    }

    /// Sets a key; returns what is wrong with it, or nil.
    private mutating func set(_ key: String, _ text: String) -> String? {
        func oneOf(_ words: [String]) -> String? {
            words.contains(text) ? nil : "expected one of \(words.joined(separator: ", "))"
        }
        switch key {
        case "address":
            guard let read = ListenAddress(text),
                read.host.utf8.allSatisfy({
                    switch $0 {
                    case 0x30...0x3A, 0x2E, 0x41...0x46, 0x61...0x66: true
                    default: false
                    }
                })
            else { return "expected an address and a port, as \"10.0.0.5:161\", not a name" }
            address = read
        case "kind":
            kind = text
            return oneOf(["ups", "pdu", "switch", "sensors"])
        case "user":
            user = text
            return (1...32).contains(text.utf8.count) ? nil : "expected 1 to 32 bytes"
        case "auth":
            auth = text
            return oneOf(["SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512"])
        case "priv":
            priv = text
            return oneOf(["AES", "AES-192", "AES-256"])
        case "credential":
            credential = text
            return Self.isName(text) ? nil : "expected a name, not a path"
        case "ports": return Self.setNumbers(&ports, text)
        case "outlets": return Self.setNumbers(&outlets, text)
        case "feed":
            feed = text
            return Self.isName(text) ? nil : "expected a name, as \"A\""
        case "walk":
            return setWalks(text)
        default:
            return "unknown key: known are address, kind, user, auth, priv, credential, ports, "
                + "outlets, feed, walk"
        }
        return nil
    }

    private static func setNumbers(_ numbers: inout [UInt32], _ text: String) -> String? {
        numbers = text.split(separator: " ").compactMap { UInt32($0) }
        return numbers.count == text.split(separator: " ").count && 1...64 ~= numbers.count
            ? nil : "expected 1 to 64 numbers separated by spaces, as \"1 2 17\""
    }

    private mutating func setWalks(_ text: String) -> String? {
        for part in text.split(separator: ",") {
            let words = part.split(separator: " ")
            guard words.count == 2, Self.isName(String(words[0])) else {
                return "expected names and numbers, as \"outletState 1.3.6.1.4.1.318.1\""
            }
            let numbers = words[1].split(separator: ".").compactMap { UInt32($0) }
            guard (3...64).contains(numbers.count), numbers.first == 1,
                numbers.count == words[1].split(separator: ".").count
            else { return "\(words[1]) is not an object identifier" }
            walks.append(Walk(name: String(words[0]), numbers: numbers))
        }
        return walks.count <= 16 ? nil : "at most 16 columns"
    }

    private static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.first != 0x2E
            && text.utf8.allSatisfy {
                switch $0 {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
    }
}
