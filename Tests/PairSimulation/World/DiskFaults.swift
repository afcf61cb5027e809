// Disks that come back as others: blank, a day old, with a flipped bit; and the failover that an
// operator forces where the host that has all does not come back.

import CMachine
import Failover
import Glibc
import Journal
import Platform
import Terms

extension World {
    /// Whether another replica in sync has all, so that this host's disk may be lost. What the host
    /// has sent to etcd is lost with it.
    private func isSpare(_ host: Int) -> Bool {
        let other = 1 - host
        guard etcd.record.primary == hosts[other].name, !isForcing,
            let listed = etcd.record.replica(of: hosts[other].name), hosts[other].imaged == nil,
            let file = try? ReplicaFile(places(other).place.replicaFile)
        else { return false }
        return file.replica == listed
    }

    /// Ends a host for good, if its disk may be lost.
    private func retire(_ host: Int) -> Bool {
        guard isSpare(host) else { return false }
        hosts[host].agent?.isLost = true
        powerOff(host)
        return true
    }

    /// A blank disk, and `boursectl cluster join`.
    func wipe(_ host: Int) -> Bool {
        guard retire(host) else { return false }
        removeAll(places(host).directory)
        // The new disk neither fails nor is full.
        machine_disk_fails(Int32(host), 0)
        hosts[host].isFailing = false
        do {
            try makeDirectories(host)
            _ = try Journal.begin(
                places(host).place, copying: firstRecord,
                snapshots: SnapshotStore(directory: places(host).snapshots),
                options: HostPlaces.options)
        } catch { judge.accuse("host \(host) cannot join: \(error)") }
        judge.forgetPromise(host)
        hosts[host].isFlipped = false
        return true
    }

    // MARK: An old image

    private static let imaged = ["", "/journal", "/snapshots"]

    func takeImage(_ host: Int) {
        let image = "\(root)/image\(host)"
        removeAll(image)
        for folder in Self.imaged {
            machine_copy_durable(places(host).directory + folder, image + folder)
        }
    }

    /// Puts the image back, if it is older than the floor: one that is not may be whole.
    func putImage(_ host: Int) -> Bool {
        let image = HostPlaces(directory: "\(root)/image\(host)")
        guard let file = try? ReplicaFile(image.place.replicaFile),
            end(of: image.journal) < etcd.floor, retire(host)
        else { return false }
        for folder in Self.imaged.reversed() {
            let place = places(host).directory + folder
            for name in (try? Directory.names(in: place)) ?? [] { unlink(place + "/" + name) }
            machine_copy_durable(image.directory + folder, place)
        }
        judge.forgetPromise(host)
        hosts[host].imaged = file.replica
        return true
    }

    private func end(of journal: String) -> UInt64 {
        let reader = JournalReader(directory: journal, from: 1)
        while (try? reader.next(bytesMax: 1 << 20) { _ in }) == true {}
        return reader.nextSequence - 1
    }

    // MARK: A flipped bit

    /// Flips a bit of a record that was seen: matchd must refuse to start, and the host joins anew.
    func flipBit(_ host: Int) -> Bool {
        guard judge.seenLast > 20, retire(host) else { return false }
        let last = min(judge.seenLast - 10, end(of: places(host).journal))
        let sequence = UInt64(between(2, Int(last)))
        let reader = JournalReader(directory: places(host).journal, from: sequence)
        var record: [UInt8] = []
        _ = try? reader.next(upTo: sequence, bytesMax: 1) { record = Array($0) }
        for name in (try? Directory.names(in: places(host).journal)) ?? [] {
            let path = places(host).journal + "/" + name
            guard record.count > 8, !Directory.isDirectory(path),
                let file = try? File(path, .write),
                let bytes = try? File(path, .read).read(count: HostPlaces.options.segmentBytes),
                let at = find(record, in: bytes)
            else { continue }
            let place = at + Int(between(0, record.count - 1))
            try? file.write([bytes[place] ^ UInt8(1 << between(0, 7))], at: place)
            try? file.sync()
            hosts[host].isFlipped = true
        }
        return true
    }

    private func find(_ record: [UInt8], in bytes: [UInt8]) -> Int? {
        let last = bytes.count - record.count
        return stride(from: 0, through: max(0, last), by: 8).first {
            $0 <= last && bytes[$0] == record[0] && bytes[$0..<$0 + record.count] == record[...]
        }
    }

    // MARK: By force

    /// The primary goes on alone, and loses its power; an operator has the other host take over.
    func force(after: Int64) {
        let host = primary()
        guard !isForcing else { return }
        isForcing = true
        hosts[host].agent?.hear(.verb(.standbyRemove))
        add(after: after) {
            guard self.primary() == host, !self.isHealed else { return self.isForcing = false }
            self.powerOff(host)
            // It may be back before the claim, which has to see that then.
            if self.oneIn(3) { self.comesBack(host, self.millis(0, 400)) }
            self.force(1 - host, until: self.now + 5_000 * Self.milli)
        }
    }

    /// Asks again while the other host is off.
    private func force(_ host: Int, until: Int64) {
        guard primary() != host, now < until, !hosts[1 - host].isUp else {
            let token = hosts[1 - host].token
            add(after: millis(0, 1_500)) {
                self.isForcing = false
                if self.hosts[1 - host].token == token { self.powerOn(1 - host) }
            }
            return
        }
        if let agent = hosts[host].agent {
            agent.hear(.verb(.failover(peerOffInEpoch: agent.core.view.record?.epoch)))
        }
        add(after: 50 * Self.milli) { self.force(host, until: until) }
    }
}
