// Beacons, appends and acknowledgements between two small matchds.

import Failover
import Terms

extension SimulatedMatchd {
    // MARK: Primary

    func beacon() {
        guard isPrimary else { return }
        sendBeacon()
        if hasProgress { workedAt = world.now }
        if gate.replica != nil, holdsLease,
            world.now.since(workedAt) > world.timing.leaseNanos + world.timing.beaconNanos
        {
            world.judge.accuse("a primary that hangs holds its lease")
        }
        resendIfStalled()
        sendAppends()
        release()
        world.add(
            .beacon(host, process: process.number), after: world.timing.beaconNanos)
    }

    func sendBeacon() {
        let sealed = state == .sealed ? UInt64(disk.records.count) : nil
        world.send(
            .beacon(
                epoch: epoch, sentAt: world.now, hasProgress: hasProgress, commit: gate.released,
                sealedEnd: sealed), from: host)
    }

    private func resendIfStalled() {
        let matched = matchedThere
        if let sent = sentUpTo, UInt64(sent) > matched, matched == lastMatched, matched > 0,
            world.broken != .addBeforeMatched
        {
            sentUpTo = Int(matched)
        }
        lastMatched = matched
    }

    func sendAppends() {
        guard isPrimary, let sent = sentUpTo, sent < disk.records.count else { return }
        let count = min(disk.records.count - sent, world.chunk)
        sendAppend(from: sent + 1, count: count)
        sentUpTo = sent + count
        waitingSince = waitingSince ?? world.time
    }

    private func sendAppend(from: Int, count: Int) {
        let records = disk.records
        world.send(
            .append(
                epoch: epoch, from: from, before: from > 1 ? records[from - 2] : nil,
                records: Array(records[(from - 1)..<(from - 1 + count)]),
                commit: gate.released, start: Int(epochStart), forced: forced), from: host)
    }

    /// An echo, or an offer from a standby that has not matched.
    func takeEcho(
        epoch: UInt32, sentAt: BootTime, isEcho: Bool, _ new: PeerAcknowledgement,
        offer: [SimulatedRecord]?
    ) {
        guard isPrimary, epoch == self.epoch, new.process >= peerProcess else { return }
        let isCounted = counted?.replica == new.replica
        if new.process != peerProcess || new.replica != peerReplica {
            forgetPeer()
            peerProcess = new.process
            peerReplica = new.replica
        }
        if isEcho {
            peerEchoedAt = world.now
            lease.echoed(sentAt: world.broken == .leaseFromReceipt ? world.now : sentAt)
        }
        if let offer {
            var same = 0
            let records = disk.records
            while same < min(offer.count, records.count), offer[same] == records[same] {
                same += 1
            }
            if isCounted, UInt64(same) < counted!.sequence, gate.replica == new.replica {
                peerLacks = true
                world.reportSoon(host)
                return
            }
            peerLacks = false
            if world.broken == .cutWithoutPrevious { same = min(offer.count, records.count) }
            // A frame or two of what is equal: matched then ends within an old tail.
            let probe = min(same, world.random.below(3))
            sentUpTo = same - probe
            if same == records.count, probe == 0 { sendAppend(from: same + 1, count: 0) }
            sendAppends()
        }
        if sentUpTo == nil, new.matched > 0 { sentUpTo = Int(new.matched) }
        takeAcknowledgement(new)
    }

    func takeAcknowledgement(_ new: PeerAcknowledgement) {
        guard isPrimary, new.process >= peerProcess || world.broken == .countAnyEpoch else {
            return
        }
        var ack = new
        if world.broken == .countAnyEpoch {
            ack = PeerAcknowledgement(
                epoch: epoch, process: new.process, replica: new.replica, matched: new.matched)
        }
        guard ack.epoch == epoch else { return }
        if ack.matched > 0 {
            if counted?.replica != ack.replica { counted = (ack.replica, 0) }
            counted = (ack.replica, max(counted!.sequence, ack.matched))
        }
        if let counted, ack.matched >= counted.sequence { peerLacks = false }
        let before = gate.acknowledgement?.matched ?? 0
        gate.acknowledge(ack)
        let matched = matchedThere
        if matched >= UInt64(sentUpTo ?? 0) {
            waitingSince = nil
        } else if matched > before {
            waitingSince = world.time
        }
        if matched > before, gate.replica == nil || matched == UInt64(disk.records.count) {
            world.reportSoon(host)
        }
        sendAppends()
        release()
    }

    func takeRefusal(promise: UInt32, replica: ReplicaID, process: ProcessNumber) {
        guard isPrimary, promise > epoch, process >= peerProcess else { return }
        if process != peerProcess || replica != peerReplica { forgetPeer() }
        (peerProcess, peerReplica, peerPromise) = (process, replica, promise)
        world.reportSoon(host)
    }

    // MARK: Standby

    /// Whether a frame of `epoch` may be taken; refuses it if not, and gives up a role for it.
    private func admits(_ epoch: UInt32) -> Bool {
        switch state {
        case .recovered, .stopped: return false
        case .leading:
            if epoch > self.epoch { world.endMatchd(host, restarts: true) }
            return false
        case .sealed where epoch <= self.epoch: return false
        default: break
        }
        switch keeper.verdict(on: epoch) {
        case .refuse(let promise):
            world.send(
                .refuse(promise: promise, replica: disk.replica, process: process), from: host)
            return false
        case .promiseFirst: promise(epoch)
        case .take: break
        }
        if !isFollowing {
            state = .following(isConfirmed: true)
            isLinkOpen = false
            standby = StandbyPosition(
                durable: UInt64(disk.durable), released: max(standby.released, gate.released))
        }
        if self.epoch != epoch {
            self.epoch = epoch
            sealedEnd = nil
            standby.follow()
        }
        return true
    }

    private var acknowledgement: PeerAcknowledgement {
        var matched = standby.acknowledged
        if world.broken == .acknowledgeOldTail, standby.matched > 0 {
            matched = UInt64(disk.durable)
        }
        if world.broken == .acknowledgeUnsynced { matched = standby.matched }
        if state == .following(isConfirmed: false) { matched = 0 }
        return PeerAcknowledgement(
            epoch: epoch, process: process, replica: disk.replica, matched: matched)
    }

    func acknowledge() {
        guard state == .following(isConfirmed: true), standby.acknowledged > 0 else { return }
        show()
        world.send(.appended(acknowledgement), from: host)
        if sealedEnd != nil { world.reportSoon(host) }
    }

    func takeBeacon(
        epoch: UInt32, sentAt: BootTime, hasProgress: Bool, commit: UInt64, sealedEnd: UInt64?
    ) {
        guard admits(epoch), case .following(let isConfirmed) = state else { return }
        let worksThere = hasProgress || world.broken == .echoWithoutProgress
        let echoes = BeaconRule.echoes(
            epoch: epoch, hasProgress: worksThere, keeper: keeper,
            isConfirmed: isConfirmed)
        if echoes || world.broken == .noPromise { heardAt = world.now }
        if sealedEnd != self.sealedEnd { world.reportSoon(host) }
        self.sealedEnd = sealedEnd
        standby.commit(commit)
        show()
        world.send(
            .echo(
                epoch: epoch, sentAt: sentAt, isEcho: echoes, acknowledgement: acknowledgement,
                offer: standby.matched == 0 ? disk.records : nil), from: host)
    }

    func takeAppend(
        epoch: UInt32, from: Int, before: SimulatedRecord?, _ records: [SimulatedRecord],
        commit: UInt64, start: Int, _ forced: ForcedStart?
    ) {
        guard admits(epoch) else { return }
        self.forced = forced ?? self.forced
        if world.broken == .cutWithoutPrevious {
            if start > 0, start <= disk.records.count, disk.records[start - 1].epoch < epoch {
                cut(from: start)
            }
        }
        guard from <= disk.records.count + 1 else { return }
        if from > 1, world.broken != .cutWithoutPrevious {
            guard disk.records[from - 2] == before else { return }
        }
        for (index, record) in records.enumerated() {
            let sequence = from + index
            if sequence <= disk.records.count {
                if disk.records[sequence - 1] == record { continue }
                if world.broken == .cutWithoutPrevious { continue }
                let isAllowed =
                    standby.mayCut(
                        from: UInt64(sequence), epoch: disk.records[sequence - 1].epoch,
                        forced: self.forced) || world.broken == .cutReleased
                guard isAllowed else {
                    state = .stopped
                    world.reportSoon(host)
                    return
                }
                cut(from: sequence)
                if world.crashes(host, at: .cut) { return }
            }
            disk.records.append(record)
        }
        if world.broken != .noPromise { keeper.journalEnds(in: disk.lastEpoch) }
        standby.match(UInt64(from - 1 + records.count))
        standby.commit(commit)
        syncLater()
        acknowledge()
    }

    private func cut(from sequence: Int) {
        world.judge.cuts(
            host, from: sequence, isKnownReleased: UInt64(sequence) <= standby.released)
        disk.records.removeSubrange((sequence - 1)...)
        disk.durable = min(disk.durable, sequence - 1)
        standby.cut(behind: UInt64(sequence - 1))
        disk.released = min(disk.released, UInt64(sequence - 1))
        shown = min(shown, sequence - 1)
        cuts += 1
        if world.broken != .noPromise { keeper.journalEnds(in: disk.lastEpoch) }
        world.note(.cut)
    }

    /// What its followers see.
    private func show() {
        var visible = Int(standby.visible)
        switch world.broken {
        case .standbyShowsAll: visible = standby.matched > 0 ? disk.durable : 0
        case .standbyShowsUnmatched:
            visible = standby.matched > 0 ? min(Int(standby.commitPoint), disk.durable) : 0
        default: break
        }
        guard visible > shown else { return }
        world.judge.shows(host, from: shown, to: visible)
        shown = visible
    }
}
