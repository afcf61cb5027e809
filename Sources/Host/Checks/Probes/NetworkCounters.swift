// /proc/net: what the kernel counts of packets and of protocols.

/// /proc/net/softnet_stat: a line a CPU, columns hexadecimal.
package struct SoftnetCounters: Hashable, Sendable {
    static let path = "/proc/net/softnet_stat"

    /// Packets dropped because a CPU's backlog was full, and times that a CPU left packets for
    /// later; each over all CPUs.
    package var dropped, squeezed: Int64

    /// Nil where a line cannot be read, or there is none.
    package init?(_ text: String) {
        let rows = text.lines.map(\.words)
        func sum(_ column: Int) -> Int64? {
            Observation.sum(
                rows.map { row in
                    guard row.count > column, row[column].utf8.count <= 8 else { return nil }
                    return UInt32(row[column], radix: 16).map(Int64.init)
                })
        }
        guard !rows.isEmpty, let dropped = sum(1), let squeezed = sum(2) else { return nil }
        (self.dropped, self.squeezed) = (dropped, squeezed)
    }
}

/// /proc/net/snmp and /proc/net/netstat: of each protocol a line of names and one of values, both
/// behind `NAME:` (Documentation/networking/snmp_counter.rst).
package enum ProtocolCounters {
    static let snmp = "/proc/net/snmp"
    static let netstat = "/proc/net/netstat"

    /// A counter of a protocol, as `OutSegs` of `Tcp`; nil where it cannot be read.
    package static func counter(_ name: String, of protocolName: String, in text: String) -> Int64?
    {
        let pair = text.lines.filter { $0.hasPrefix(protocolName + ":") }.map(\.words)
        guard pair.count == 2, pair[0].count == pair[1].count,
            let column = pair[0].lastIndex(where: { $0 == name })
        else { return nil }
        return Observation.count(pair[1][column])
    }
}

extension Observation {
    /// Counters of the kernel's way from interfaces to sockets.
    var softnet: SoftnetCounters? { text(SoftnetCounters.path).flatMap { SoftnetCounters($0) } }

    /// A counter of a protocol.
    func counter(_ name: String, of protocolName: String, at path: String) -> Int64? {
        text(path).flatMap { ProtocolCounters.counter(name, of: protocolName, in: $0) }
    }
}
