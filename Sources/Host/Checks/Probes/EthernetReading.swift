// /probe/ethtool/NIC: how an interface hands packets to CPUs, as its driver says (ethtool(8)).

/// The topics that can be read of an interface; most are lines `key value`.
package enum EthernetReading {
    /// Where the interfaces are.
    package static let directory = "/probe/ethtool"

    /// Where a topic of an interface is read.
    static func path(_ nic: String, _ topic: String) -> String { "\(directory)/\(nic)/\(topic)" }

    /// The interface and the topic of a path; nil of any other path.
    package static func subject(_ path: String) -> (nic: String, topic: String)? {
        guard path.hasPrefix("\(directory)/") else { return nil }
        let parts = path.dropFirst(directory.utf8.count + 1).split(separator: "/")
        return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
    }

    /// `channels`: its combined queues, or where it has none those for receiving.
    package static func queues(_ text: String) -> Int64? {
        let counts = text.counters
        guard let combined = counts["combined"], combined > 0 else { return counts["rx"] }
        return combined
    }

    /// `rings`: slots of the receive ring, and as many as it can have.
    package static func receiveRing(_ text: String) -> (slots: Int64, slotsMax: Int64)? {
        let counts = text.counters
        guard let slots = counts["rx"], let most = counts["rx_max"] else { return nil }
        return (slots, most)
    }

    /// `coalesce`: how long it waits for more packets, and whether it adapts that itself.
    package static func coalescing(_ text: String) -> (micros: Int64, isAdaptive: Bool)? {
        let counts = text.counters
        guard let micros = counts["rx_usecs"], let adaptive = counts["adaptive_rx"], adaptive <= 1
        else { return nil }
        return (micros, adaptive == 1)
    }

    /// `features`: the kernel's names of those that are on, and of those that are off.
    package static func features(_ text: String) -> [String: Bool] {
        text.counters.compactMapValues { $0 <= 1 ? $0 == 1 : nil }
    }

    /// `rss`: how many entries of the table lead to each queue; nil where a line cannot be read.
    package static func spread(_ text: String) -> [Int64: Int64]? {
        var entries: [Int64: Int64] = [:]
        for line in text.lines {
            let words = line.words
            guard words.count == 2, let queue = Observation.count(words[0]),
                let count = Observation.count(words[1])
            else { return nil }
            entries[queue] = count
        }
        return entries
    }

    /// `stats`: those of the driver's counters that count losses of one queue: their names have
    /// its number and a word for loss. Nil where there is no counter at all.
    package static func queueLosses(_ text: String) -> [String: Int64]? {
        let counters = text.counters
        guard !counters.isEmpty else { return nil }
        return counters.filter { name, _ in
            let low = name.lowercased()
            return low.contains { $0.isNumber }
                && ["drop", "discard", "no_buf", "missed", "alloc_fail"]
                    .contains { low.contains($0) }
        }
    }

    /// `timestamping`: whether its hardware stamps what it sends and receives by a clock of its
    /// own; nil: not known.
    package static func stampsInHardware(_ text: String) -> Bool? {
        let counts = text.counters
        guard let sends = counts["hardware_transmit"], let receives = counts["hardware_receive"]
        else { return nil }
        return sends == 1 && receives == 1 && counts["phc"] != nil
    }
}
