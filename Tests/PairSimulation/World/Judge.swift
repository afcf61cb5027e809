// What must hold, whatever happens. Knows what clients and viewers saw.

import CMachine
import Failover
import Journal
import Link
import Terms
import Wire

/// The checkers.
final class Judge {
    private(set) var violation: String?
    /// What somebody saw: records by sequence.
    private var seen: [UInt64: (epoch: UInt32, crc: UInt32)] = [:]
    private(set) var seenLast: UInt64 = 0
    /// Commands that are resolved as in the log.
    private var inLog: [Int: UInt64] = [:]
    /// Commands that are resolved as not in the log, and never to be.
    private var notInLog: Set<Int> = []
    /// Which host acknowledged what.
    private var acknowledger: [UInt64: Int] = [:]
    /// The last failover that was forced: what older epochs released from there on is given up.
    private(set) var forced: ForcedStart?
    private var promises: [UInt32] = [0, 0]
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
        if let forced, header.sequence >= forced.from, header.epoch < forced.epoch { return }
        if let known = seen[header.sequence] {
            if known != (header.epoch, header.crc) {
                accuse("two records were shown at sequence \(header.sequence)")
            }
        } else {
            seen[header.sequence] = (header.epoch, header.crc)
        }
        guard header.sequence > seenLast else { return }
        seenLast = header.sequence
        if world.oneIn(8) { lookAtDisks() }
    }

    /// I1: what somebody saw is on the disk of each replica in sync, and a power cut now would not
    /// change that.
    private func lookAtDisks() {
        guard let last = seen[seenLast] else { return }
        for (host, state) in world.hosts.enumerated() {
            let places = world.places(host)
            let isImaged =
                state.imaged != nil && world.etcd.record.primary != state.name
            guard let listed = world.etcd.record.replica(of: state.name),
                !isImaged || listed != state.imaged, !state.isFlipped,
                let file = try? ReplicaFile(places.place.replicaFile), file.replica == listed
            else { continue }
            let copy = world.root + "/copy"
            machine_copy_durable(places.journal, copy)
            var found: (epoch: UInt32, crc: UInt32)?
            let reader = JournalReader(directory: copy, from: seenLast)
            _ = try? reader.next(upTo: seenLast, bytesMax: 1) { records in
                _ = LinkRecords.forEachRecord(records) { header, _ in
                    if header.sequence == seenLast { found = (header.epoch, header.crc) }
                }
            }
            removeAll(copy)
            if found.map({ $0 == last }) != true {
                accuse(
                    "record \(seenLast) was seen and is not on the disk of \(state.name), "
                        + "which is in sync")
            }
        }
    }

    /// I2: a promise is on disk, is never lowered, and no lower epoch is followed.
    func reported(_ host: Int, _ report: MatchdReport) {
        if report.promise < promises[host] {
            accuse("promise \(promises[host]) of host \(host) is \(report.promise) now")
        }
        promises[host] = max(promises[host], report.promise)
        if case .following = report.state, report.epoch < promises[host] {
            accuse("host \(host) follows epoch \(report.epoch) below its promise")
        }
    }

    /// A host's disk is another one now.
    func forgetPromise(_ host: Int) { promises[host] = 0 }

    /// Another record is in etcd.
    func recordChanged() {
        for host in world.hosts.indices {
            let listed = world.etcd.record.replica(of: world.hosts[host].name)
            if listed != world.hosts[host].imaged { world.hosts[host].imaged = nil }
        }
        if let start = world.etcd.record.forced, start != forced { giveUp(start) }
        lookAtDisks()
    }

    /// An operator gave up what only the other host has.
    private func giveUp(_ start: ForcedStart) {
        forced = start
        let isLost = { (sequence: UInt64) in sequence >= start.from }
        seen = seen.filter { !isLost($0.key) }
        inLog = inLog.filter { !isLost($0.value) }
        acknowledger = acknowledger.filter { !isLost($0.key) }
        seenLast = min(seenLast, start.from - 1)
    }

    func acknowledged(_ host: Int, _ ack: LinkAck) {
        guard ack.session.number != 0 else { return }
        if acknowledger.updateValue(host, forKey: ack.sequence) ?? host != host {
            accuse("two hosts acknowledged record \(ack.sequence)")
        }
    }

    /// A command is in the log, as the record of this sequence.
    func resolved(_ command: Int, _ sequence: UInt64) {
        acknowledgedSince += 1
        inLog[command] = sequence
    }

    func refused(_ command: Int) { notInLog.insert(command) }

    // MARK: The end

    /// Compares what both journals have with what was seen and acknowledged.
    func compare(_ places: [HostPlaces]) {
        if violation != nil { return showTails(places) }
        var logs: [[RecordHeader]] = []
        var raises = 0
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
                            if host == 0, header.kind == CommandKind.setRules.rawValue {
                                raises += 1
                            }
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
        let isUpgraded = world.hosts.allSatisfy { $0.rules == SimulatedHost.nextRules }
        guard raises == (isUpgraded ? 1 : 0) else {
            return accuse("the log's rules were raised \(raises) times: \(isUpgraded)")
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
        for command in inLog.keys where counts[command] != 1 {
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
