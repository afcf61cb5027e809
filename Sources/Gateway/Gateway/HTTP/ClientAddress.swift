// Whose a request is, for limits: where it comes from, or whom a proxy of the owner's names.

package import Platform

/// The client behind a connection and its proxies.
package enum ClientAddress {
    /// Maximum addresses in a header that are looked at, from the last one on.
    private static let hopsMax = 16

    /// Whom limits count for a connection from `peer`; `forwarded` are the values of the header
    /// X-Forwarded-For. Each proxy adds at the end whom it was called by: from there on, the first
    /// that is not one of `proxies` is the client. What a client writes itself stands before that.
    package static func holder(
        _ peer: String, forwarded: [String], proxies: [AddressRange]
    ) -> String {
        guard var found = IPAddress(peer) else { return peer }
        func isProxy(_ address: IPAddress) -> Bool {
            proxies.contains { $0.contains(address) }
        }
        if proxies.isEmpty || !isProxy(found) { return found.holder }
        var count = 0
        for value in forwarded.reversed() {
            var rest = Substring(value).utf8
            while count < hopsMax {
                let comma = rest.lastIndex(of: 0x2C)
                let hop = comma.map { rest[rest.index(after: $0)...] } ?? rest
                guard let address = IPAddress(text(Substring(hop))) else { return found.holder }
                found = address
                if !isProxy(address) { return found.holder }
                count += 1
                guard let comma else { break }
                rest = rest[..<comma]
            }
        }
        return found.holder
    }

    /// An address of the header without spaces, brackets and port, as some proxies write it.
    private static func text(_ hop: Substring) -> Substring {
        var hop = hop.drop { $0 == " " || $0 == "\t" }
        while hop.last == " " || hop.last == "\t" { hop.removeLast() }
        if hop.first == "[" {
            return hop.dropFirst().prefix { $0 != "]" }
        }
        let colons = hop.utf8.count { $0 == 0x3A }
        return colons == 1 ? hop.prefix { $0 != ":" } : hop
    }
}
