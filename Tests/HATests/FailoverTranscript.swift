// Scenarios of one host as tables: milliseconds, event, sentence, effects. The first two columns
// are the script, the others what the core made of it; rows whose event is · came of ticks between.
//
//      host b                                 this host; its peer is the other of a and b
//      silent                                 the peer's agent does not report
//      requires watchdog                      no claim without an armed one; none is known yet
//      0 | matchd 1 end 90 promise 5 epoch 5     a process has recovered; last epoch 5
//      0 | matchd obeys                          it carries out its orders and reports
//      0 | matchd KEY VALUE …                    a report with these values changed
//      0 | read 5 a a1,b2 floor 80               etcd answers the reading
//      0 | read 5 a a1,b2 floor 80 of 3          of etcd cluster 3
//      0 | done, unknown, not done 6 b b2        etcd answers the swap
//      0 | floor done                            etcd answers the floor
//      0 | peer of 2 epoch 6                     the peer's agent reports: etcd cluster 2, epoch 6
//      0 | watchdog armed                        this machine's; also absent, inactive, unknown
//      0 | peer barred, peer free                the peer would claim nothing, or would
//      0 | beacons on, echoes off                from here on, each 50 ms
//      0 | until                                 ticks up to this time

import Failover
import Terms

struct FailoverTranscript {
    private var core = FailoverCore(
        FailoverSettings(host: HostName("a"), peer: HostName("b")), run: 1)
    private var host = "a"
    private var now: Int64 = 0
    private var report: MatchdReport?
    private var orders: [MatchdOrder] = []
    private var swap: RecordSwap?
    private var request: RecordRequest?
    private var beacons = false
    private var echoes = false
    private var rows: [[String]] = []
    private var last = ""
    private var frozen = false
    /// The peer's agent never reports; else it has, as soon as this one runs.
    private var isPeerSilent = false
    private var isPeerMet = false

    /// The scenario with what came of its events.
    static func run(_ script: String) -> String {
        var transcript = FailoverTranscript()
        var head: [String] = []
        for line in script.split(separator: "\n", omittingEmptySubsequences: false) {
            let cells = line.split(separator: "|").map { $0.trimmed }
            guard cells.count >= 2, let time = Int64(cells[0]) else {
                if cells.count >= 2 { continue }
                head.append(String(line))
                transcript.begin(line.split(separator: " ").map(String.init))
                continue
            }
            if cells[1] != "·" { transcript.take(cells[1], at: time) }
        }
        while head.last == "" { head.removeLast() }
        return (head + [""] + transcript.table()).joined(separator: "\n") + "\n"
    }

    private mutating func begin(_ words: [String]) {
        if words.first == "silent" { (isPeerSilent, isPeerMet) = (true, true) }
        if words == ["requires", "watchdog"] {
            var settings = core.settings
            settings.requiresWatchdog = true
            core = FailoverCore(settings, run: 1)
        }
        guard words.first == "host" else { return }
        host = words[1]
        let peer = words.count > 2 ? nil : HostName(host == "a" ? "b" : "a")
        core = FailoverCore(FailoverSettings(host: HostName(host), peer: peer), run: 1)
    }

    private func table() -> [String] {
        let head = [["ms", "event", "sentence", "effects"]] + rows
        let widths = (0..<3).map { column in head.map { $0[column].count }.max() ?? 0 }
        return head.map { row in
            let padded = (0..<3).map { column in
                let gap = String(repeating: " ", count: widths[column] - row[column].count)
                return column == 0 ? gap + row[column] : row[column] + gap
            }
            let line = (padded + [row[3]]).joined(separator: " | ")
            return line.trimmedEnd
        }
    }

    // MARK: Events

    private mutating func take(_ event: String, at time: Int64) {
        tick(until: time)
        now = time
        let words = event.split(separator: " ").map(String.init)
        switch (words[0], words.count > 1 ? words[1] : "") {
        case ("until", _): rows.append(["\(time)", event, "", ""])
        case ("beacons", let state): beacons = state == "on"; note(event)
        case ("echoes", let state): echoes = state == "on"; note(event)
        case ("agent", "restarts"):
            core = FailoverCore(core.settings, run: 2)
            isPeerMet = isPeerSilent
            orders = []
            swap = nil
            request = nil
            note(event)
        case ("agent", "stops"): frozen = true; note(event)
        case ("agent", "runs"): frozen = false; note(event)
        case ("matchd", _) where report == nil && UInt64(words[1]) == nil:
            rows.append(["\(now)", event, "no matchd is there", ""])
        case ("matchd", "obeys"): obey(); step(event, .reported(report!))
        case ("matchd", "ends"):
            let process = report!.process
            report = nil
            orders = []
            step(event, .reaped(process))
        case ("matchd", _): change(Array(words.dropFirst())); step(event, .reported(report!))
        case ("read", "fails"): step(event, .readFailed(number: request?.number ?? 0))
        case ("read", _):
            let record = words[1] == "nothing" ? nil : self.record(Array(words[1...]))
            let floor = words.firstIndex(of: "floor").map { UInt64(words[$0 + 1])! } ?? 0
            let cluster = words.firstIndex(of: "of").map { UInt64(words[$0 + 1])! } ?? 0
            let reading = RecordReading(
                number: request?.number ?? 0, record: record, floor: floor,
                isOwnCluster: words.last != "elsewhere", cluster: cluster)
            step(event, .recordRead(reading))
        case ("done", _) where swap == nil, ("unknown", _) where swap == nil,
            ("not", _) where swap == nil:
            rows.append(["\(now)", event, "no swap is under way", ""])
        case ("done", _): step(event, .swapAnswered(swap!.value.attempt, .done))
        case ("unknown", _): step(event, .swapAnswered(swap!.value.attempt, .unknown))
        case ("not", _):
            let value = words.count == 2 ? swap!.value : record(Array(words[2...]))
            step(event, .swapAnswered(swap!.value.attempt, .notDone(value)))
        case ("floor", "done"): step(event, .floorAnswered(.done))
        case ("floor", "unknown"): step(event, .floorAnswered(.unknown))
        case ("floor", _):
            step(event, .floorAnswered(.notDone(record(Array(words[3...])))))
        case ("reaped", let epoch): step(event, .peerReaped(epoch: UInt32(epoch)!))
        case ("watchdog", let state): step(event, .watchdog(WatchdogState(rawValue: state)!))
        case ("peer", "barred"): step(event, .peerBarred(true))
        case ("peer", "free"): step(event, .peerBarred(false))
        case ("peer", _):
            step(event, .peerReported(cluster: UInt64(words[2])!, epoch: UInt32(words[4])!))
        case ("wallet", _): step(event, .walletReconciled(epoch: report!.epoch))
        default: step(event, .verb(verb(words)))
        }
    }

    private func verb(_ words: [String]) -> FailoverVerb {
        switch words.joined(separator: " ") {
        case "switchover": .switchover
        case "failover": .failover(peerOffInEpoch: nil)
        case "failover, peer is off": .failover(peerOffInEpoch: core.view.record?.epoch)
        case "failover, peer was off before": .failover(peerOffInEpoch: 1)
        case "standby add": .standbyAdd
        case "standby remove": .standbyRemove
        case "pause": .pause
        case "resume": .resume
        default: preconditionFailure("an unknown event")
        }
    }

    private mutating func note(_ event: String) { rows.append(["\(now)", event, "", ""]) }

    /// Ticks with what arrives by itself; a row for each that has effects or another sentence.
    private mutating func tick(until time: Int64) {
        while now + 50 <= time {
            now += 50
            let at = BootTime(nanos: now * 1_000_000)
            if beacons { report?.heardAt = at }
            if echoes { report?.peer?.echoedAt = at }
            if frozen { continue }
            if let report { step("·", .reported(report)) }
            step("·", .tick)
        }
    }

    private func record(_ words: [String]) -> ClusterRecord {
        let members = words[2].split(separator: ",").map { name in
            InSyncReplica(
                host: HostName(String(name.prefix(1))),
                replica: ReplicaID(high: 0, low: UInt64(name.dropFirst())!))
        }
        return ClusterRecord(
            epoch: UInt32(words[0])!, primary: HostName(words[1]), inSync: members,
            attempt: SwapAttempt(run: 0, number: UInt64(words[0])!))
    }

    // MARK: A matchd in few words

    private mutating func change(_ words: [String]) {
        var words = words
        let own = ReplicaID(high: 0, low: host == "a" ? 1 : 2)
        if let process = UInt64(words[0]) {
            report = MatchdReport(
                process: ProcessNumber(process), replica: own, promise: 0, end: 0, endEpoch: 0,
                durable: 0, commitPoint: 0)
            words.removeFirst()
        }
        var index = 0
        while index + 1 < words.count {
            change(words[index], words[index + 1])
            index += 2
        }
    }

    private mutating func change(_ key: String, _ value: String) {
        let number = UInt64(value) ?? 0
        let at = BootTime(nanos: now * 1_000_000)
        switch key {
        case "end": (report!.end, report!.durable) = (number, number)
        case "promise": report!.promise = UInt32(number)
        case "epoch": report!.endEpoch = UInt32(number)
        case "released": report!.commitPoint = number
        case "leads":
            (report!.state, report!.epoch, report!.epochStart) = (.leading, UInt32(number), 1)
            (report!.promise, report!.endEpoch) = (UInt32(number), UInt32(number))
            (report!.isLinkOpen, report!.holdsLease) = (true, true)
        case "requires": report!.requirement = ReplicaID(high: 0, low: number)
        case "peer":
            report!.peer = PeerReport(replica: ReplicaID(high: 0, low: number), echoedAt: at)
        case "matched": report!.peer?.matched = number
        case "waits": report!.peer?.waitingSince = value == "none" ? nil : at
        case "works": report!.oldestWaiting = value == "no" ? at : nil
        case "refused": report!.peer?.promise = UInt32(number)
        case "lacks": report!.peer?.lacksAcknowledged = value == "yes"
        case "cluster": report!.cluster = number
        case "lease": report!.holdsLease = value == "held"
        case "handed": report!.isHandedOver = value == "over"
        case "stops": (report!.state, report!.reason) = (.stopped, value)
        case "fails": report!.reason = value == "nowhere" ? nil : value
        default: preconditionFailure("an unknown key")
        }
    }

    private mutating func obey() {
        for order in orders {
            (report!.ordersRun, report!.ordersDone) = (order.run, order.number)
            switch order.action {
            case .follow(let renews, let isConfirmed, _):
                report!.state = .following(isConfirmed: isConfirmed)
                (report!.epoch, report!.promise) = (order.epoch, order.epoch)
                if renews { report!.replica = ReplicaID(high: 0, low: 9) }
                (report!.isLinkOpen, report!.requirement, report!.peer) = (false, nil, nil)
            case .belong(let cluster): report!.cluster = cluster
            case .promise: (report!.state, report!.promise) = (.promised, order.epoch)
            case .lead(let terms):
                report!.state = .leading
                report!.requirement = terms.requirement
                startEpoch(order.epoch)
            case .raise: startEpoch(order.epoch)
            case .require(let replica):
                report!.requirement = replica
                if replica == nil {
                    (report!.commitPoint, report!.holdsLease) = (report!.end, true)
                }
            case .openLink: report!.isLinkOpen = true
            case .holdIntake:
                report!.isIntakeHeld = true
                report!.end += 1
            case .resumeIntake: report!.isIntakeHeld = false
            case .seal: report!.state = .sealed
            case .end: break
            }
        }
        orders = []
    }

    private mutating func startEpoch(_ epoch: UInt32) {
        (report!.epoch, report!.promise, report!.endEpoch) = (epoch, epoch, epoch)
        report!.end += 1
        report!.durable = report!.end
        report!.epochStart = report!.end
        report!.state = .leading
        report!.isIntakeHeld = false
        report!.holdsLease = report!.requirement == nil
        if report!.requirement == nil { report!.commitPoint = report!.end }
    }

    // MARK: The core's answer

    private mutating func step(_ event: String, _ happening: FailoverEvent) {
        let effects = core.step(happening, at: BootTime(nanos: now * 1_000_000))
        orders += effects.orders
        if let order = effects.opensLink { orders.append(order) }
        if let sent = effects.swap { swap = sent }
        if let read = effects.read { request = read }
        let sentence = effects.explanation.description
        let done = text(effects)
        if event == "·" {
            let isRoutine = done == "take address" || done.hasPrefix("read") && sentence == last
            if sentence == last && (done.isEmpty || isRoutine) { return }
        }
        last = sentence
        rows.append(["\(now)", event, sentence, done])
        if !isPeerMet {
            isPeerMet = true
            step("·", .peerReported(cluster: 0, epoch: 0))
        }
    }

    private func text(_ effects: FailoverEffects) -> String {
        var words: [String] = []
        if effects.dropsAddress { words.append("drop address") }
        if effects.leavesAddress { words.append("leave address") }
        words += effects.orders.map(text)
        if let epoch = effects.reapedEpoch { words.append("report reaped \(epoch)") }
        if let swap = effects.swap {
            let floor = swap.floor.map { " floor \($0)" } ?? ""
            let forced = swap.value.forced.map { " forced from \($0.from)" } ?? ""
            words.append("swap \(text(swap.compared)) for \(text(swap.value))\(forced)\(floor)")
        }
        if let floor = effects.floor { words.append("floor \(floor.sequence)") }
        if let read = effects.read { words.append(read.mustWrite ? "read by a write" : "read") }
        if let epoch = effects.reconcilesWallet { words.append("reconcile wallet \(epoch)") }
        if effects.takesAddress { words.append("take address") }
        if effects.opensLink != nil { words.append("open link") }
        if let refusal = effects.refusal { words.append("refused: \(refusal)") }
        return words.joined(separator: ", ")
    }

    private func text(_ order: MatchdOrder) -> String {
        switch order.action {
        case .follow(let renews, let isConfirmed, _):
            "follow \(order.epoch)\(renews ? " as a new replica" : "")"
                + (isConfirmed ? "" : " unconfirmed")
        case .belong(let cluster): "belong to \(cluster)"
        case .promise: "promise \(order.epoch)"
        case .lead(let terms):
            "lead \(order.epoch)" + (terms.requirement.map { " with \($0.low)" } ?? " alone")
        case .require(let replica): replica.map { "require \($0.low)" } ?? "require nobody"
        case .raise(let from, _): "raise \(from) to \(order.epoch)"
        case .openLink: "open link"
        case .holdIntake: "hold intake"
        case .resumeIntake: "resume intake"
        case .seal: "seal"
        case .end: "end process \(order.process.number)"
        }
    }

    private func text(_ record: ClusterRecord) -> String {
        let members = record.inSync.map { "\($0.host)\($0.replica.low)" }
        return "\(record.epoch) \(record.primary) \(members.joined(separator: ","))"
    }
}

extension Substring {
    var trimmed: String {
        var text = self
        while text.first == " " { text.removeFirst() }
        return String(text).trimmedEnd
    }
}

extension String {
    var trimmedEnd: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
