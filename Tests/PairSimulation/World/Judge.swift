// What must hold, whatever happens. Knows what clients and viewers saw.

import Journal
import Link
import Terms
import Wire

/// The checkers.
final class Judge {
    private(set) var violation: String?
    /// What somebody saw: records by sequence.
    private var seen: [UInt64: (epoch: UInt32, crc: UInt32)] = [:]
    private var seenLast: UInt64 = 0
    /// Commands that are resolved as in the log.
    private var inLog: Set<Int> = []
    /// Commands that are resolved as not in the log, and never to be.
    private var notInLog: Set<Int> = []
    /// Which host acknowledged what.
    private var acknowledger: [UInt64: Int] = [:]
    private(set) var acknowledgedSince = 0
    var acknowledgedCount: Int { inLog.count }
    var seenCount: Int { seen.count }

    func accuse(_ what: String) {
        guard violation == nil else { return }
        violation = what
        world.trace("VIOLATION: \(what)")
        world.finish()
    }

    func countFromHere() { acknowledgedSince = 0 }

    /// Somebody was shown a record by a host.
    func shown(_ host: Int, _ header: RecordHeader) {
        if let known = seen[header.sequence] {
            if known != (header.epoch, header.crc) {
                accuse("two records were shown at sequence \(header.sequence)")
            }
        } else {
            seen[header.sequence] = (header.epoch, header.crc)
        }
        seenLast = max(seenLast, header.sequence)
    }

    func acknowledged(_ host: Int, _ ack: LinkAck) {
        guard ack.session.number != 0 else { return }
        if acknowledger.updateValue(host, forKey: ack.sequence) ?? host != host {
            accuse("two hosts acknowledged record \(ack.sequence)")
        }
    }

    func resolved(_ command: Int) {
        acknowledgedSince += 1
        inLog.insert(command)
    }

    func refused(_ command: Int) { notInLog.insert(command) }

    // MARK: The end

    /// Compares what both journals have with what was seen and acknowledged.
    func compare(_ places: [HostPlaces]) {
        if violation != nil { return showTails(places) }
        var logs: [[RecordHeader]] = []
        var counts: [Int: Int] = [:]
        for (host, place) in places.enumerated() {
            var headers: [RecordHeader] = []
            let reader = JournalReader(directory: place.journal, from: 1)
            do throws(JournalError) {
                while try reader.next(
                    upTo: .max, bytesMax: 1 << 20,
                    { records in
                        _ = LinkRecords.forEachRecord(records) { header, record in
                            headers.append(header)
                            guard host == 0, let number = Self.command(header, record) else {
                                return
                            }
                            counts[number, default: 0] += 1
                        }
                    })
                {}
            } catch { return accuse("host \(host)'s journal cannot be read: \(error)") }
            logs.append(headers)
        }
        let both = min(logs[0].count, logs[1].count)
        for index in 0..<both where logs[0][index].crc != logs[1][index].crc {
            return accuse("the journals differ at record \(index + 1)")
        }
        guard both >= Int(seenLast) else {
            return accuse("a journal ends at \(both), and record \(seenLast) was seen")
        }
        var hostOfEpoch: [UInt32: Int] = [:]
        for header in logs[0][..<both] {
            if let known = seen[header.sequence], known != (header.epoch, header.crc) {
                return accuse("record \(header.sequence), which somebody saw, is another one now")
            }
            if let host = acknowledger[header.sequence],
                hostOfEpoch.updateValue(host, forKey: header.epoch) ?? host != host
            {
                return accuse("two hosts acknowledged in epoch \(header.epoch)")
            }
        }
        for command in inLog where counts[command] != 1 {
            return accuse("command \(command) is \(counts[command] ?? 0) times in the log")
        }
        for (command, count) in counts where count > 1 {
            return accuse("command \(command) is \(count) times in the log")
        }
        for command in notInLog where counts[command] != nil {
            return accuse("command \(command) was refused and is in the log")
        }
    }

    /// For a trace: how the journals end.
    private func showTails(_ places: [HostPlaces]) {
        for (host, place) in places.enumerated() where world.isTraced {
            var lines: [String] = []
            let reader = JournalReader(directory: place.journal, from: 1)
            while (try? reader.next(
                upTo: .max, bytesMax: 1 << 20,
                { records in
                    _ = LinkRecords.forEachRecord(records) { header, _ in
                        lines.append("\(LogPoint(header)) kind \(header.kind)")
                    }
                })) == true
            {}
            for line in lines.suffix(8) { world.trace("\(world.hosts[host].name) ends: \(line)") }
            if let file = try? ReplicaFile(place.place.replicaFile) {
                world.trace("\(world.hosts[host].name): \(file)")
            }
        }
    }

    private static func command(_ header: RecordHeader, _ record: UnsafeRawBufferPointer) -> Int? {
        guard header.kind == CommandKind.openAccount.rawValue,
            case .openAccount(let open) = Command(
                kind: .openAccount,
                payload: UnsafeRawBufferPointer(rebasing: record[RecordHeader.size...]))
        else { return nil }
        return Int(String(describing: open.name).dropFirst())
    }
}
