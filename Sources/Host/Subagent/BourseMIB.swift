// BOURSE-MIB: which value has which name. The numbers are those of packaging/mib/BOURSE-MIB.txt.

public import AgentAPI
public import SNMP
import Terms

/// The module below an enterprise's number.
public struct BourseMIB: Sendable {
    /// `bourseMIB`.
    public let root: ObjectID

    /// The module of an enterprise, as 32473, the one for documentation (RFC 5612).
    public init(enterprise: UInt32) { root = ObjectID([1, 3, 6, 1, 4, 1, enterprise, 1]) }

    /// The values of the agent's latest state.
    ///
    /// `cluster` is the host's part in its cluster, nil: none; `age` is how many seconds ago that
    /// was, nil: never; `isBelieved`, whether that is young enough; `sent`, the number of the last
    /// event that was sent; `version` is the subagent's.
    public func view(
        of state: AgentState?, cluster: ClusterDocument? = nil, age: Int64?, isBelieved: Bool,
        sent: UInt64, version: String
    ) -> MIBView {
        var rows = MIBRows(root: root)
        rows.host(state, age: age, isBelieved: isBelieved, sent: sent, version: version)
        rows.exchange(isBelieved ? state?.tables.exchange : nil)
        if isBelieved, let cluster {
            rows.redundancy(of: cluster, state?.tables.exchange)
            rows.switchovers(cluster)
        } else {
            rows.redundancy(isBelieved ? state?.tables.exchange : nil)
        }
        guard let state else { return MIBView(rows.entries) }
        rows.daemons(state.tables.units, isBelieved: isBelieved)
        rows.checks(state.checks, isBelieved: isBelieved)
        if isBelieved {
            rows.threads(state.tables.threads)
            rows.queues(state.tables.queues)
            rows.disks(state.tables.disks)
            rows.directories(state.tables.directories)
            rows.chains(state.tables.chains)
        }
        return MIBView(rows.entries)
    }

    /// The name of a notification.
    func notification(_ number: UInt32) -> ObjectID { root.appending(0, number) }
    /// The name of a scalar.
    func scalar(_ group: UInt32, _ number: UInt32) -> ObjectID {
        root.appending(1, group, number, 0)
    }
}

/// Rows and scalars as they are gathered.
struct MIBRows {
    let root: ObjectID
    var entries: [(name: ObjectID, value: MIBValue)] = []

    init(root: ObjectID) { self.root = root }

    /// Scalars of a group, numbered from 1; nil: not there.
    mutating func scalars(_ group: UInt32, _ values: [MIBValue?]) {
        for (offset, value) in values.enumerated() {
            guard let value else { continue }
            entries.append((root.appending(1, group, UInt32(offset + 1), 0), value))
        }
    }

    /// A row of a table, its columns from number `first`; nil: not there.
    mutating func row(_ table: UInt32, _ index: [UInt32], from first: UInt32, _ all: [MIBValue?]) {
        for (offset, value) in all.enumerated() {
            guard let value else { continue }
            let name = root.appending(1, table, 1, first + UInt32(offset)).appending(index)
            entries.append((name, value))
        }
    }

    /// A text as part of an index: its length, then its bytes. One longer than `max` is cut, and
    /// what was cut goes into its last eight digits, so that it stays distinct.
    static func index(_ text: String, max: Int) -> [UInt32] {
        var bytes = Array(text.utf8)
        if bytes.count > max {
            let hash = bytes.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
            bytes = Array(bytes[..<(max - 9)]) + Array("~\(hash.hexText)".utf8)
        }
        return [UInt32(bytes.count)] + bytes.map { UInt32($0) }
    }
}

extension MIBRows {
    mutating func host(
        _ state: AgentState?, age: Int64?, isBelieved: Bool, sent: UInt64, version: String
    ) {
        let worst = isBelieved ? state?.worst ?? .unknown : .unknown
        let checks = state?.checks ?? []
        scalars(
            1,
            [
                .text(state?.version ?? version, max: 64), .text(state?.host ?? ""),
                .integer(Int32(worst.rawValue)),
                age.map { .gauge(closest: $0) } ?? .gauge(.max), .truth(isBelieved),
                isBelieved ? state.map { .date($0.started) } : nil,
                .gauge(UInt32(checks.count)),
                isBelieved ? state.map { .counter64($0.dropped) } : nil,
                .gauge(UInt32(checks.count { $0.state.isAlarm })),
                .gauge(UInt32(truncatingIfNeeded: state?.sequence ?? 0)),
                .gauge(UInt32(truncatingIfNeeded: sent)),
            ])
    }

    mutating func exchange(_ exchange: ExchangeCounters?) {
        guard let exchange else {
            return scalars(2, [.truth(false), .integer(ExchangeRole.unknown.rawValue)])
        }
        func wide(_ counter: ExchangeCounter) -> MIBValue? { exchange[counter].map { .wide($0) } }
        func gauge(_ counter: ExchangeCounter) -> MIBValue? {
            exchange[counter].map { .gauge(closest: $0) }
        }
        scalars(
            2,
            [
                .truth(true), .integer(exchange.role.rawValue), .wide(exchange.epoch),
                wide(.released), wide(.durable), wide(.applied), wide(.commands),
                wide(.syncs), wide(.syncP50Nanos), wide(.syncP99Nanos), gauge(.connections),
                gauge(.connectionsMax), gauge(.followers), gauge(.ingressFillPerMille),
                gauge(.logFillPerMille), wide(.diskFreeBytes), wide(.diskReserveBytes),
                .truth(exchange.isBelowReserve), wide(.hashMark),
            ])
    }

    /// What is known of redundancy of a host that is in no cluster.
    mutating func redundancy(_ exchange: ExchangeCounters?) {
        guard let exchange, exchange.role != .unknown else {
            return scalars(3, [.integer(1), .integer(1)])
        }
        let role = exchange.role
        // BourseRedundancyState: notKnown 1, disabled 2, standbyHot 7, active 9.
        let own: Int32 = role == .standby ? 7 : 9
        let isAlone = role == .standalone
        scalars(
            3,
            [
                .integer(own), .integer(isAlone ? 2 : 1),
                .truth(role != .standby), .truth(false), .truth(false),
                .integer(1), .counter32(0), isAlone ? .truth(true) : nil,
                isAlone ? .counter64(0) : nil, isAlone ? .counter64(0) : nil, .truth(false),
                isAlone ? .truth(true) : nil,
            ])
    }

    /// The same of a host of a cluster.
    mutating func redundancy(of cluster: ClusterDocument, _ exchange: ExchangeCounters?) {
        let isSeen = cluster.isPeerReachable == true
        let peer = isSeen ? cluster.peerDocument : nil
        let primary = cluster.leads ? cluster : peer.flatMap { $0.leads ? $0 : nil }
        let last = cluster.primaryChanges.last
        let onlyHere = cluster.atRiskRecords
        scalars(
            3,
            [
                .integer(Self.state(cluster.role)), .integer(peer.map { Self.state($0.role) } ?? 1),
                .truth(cluster.leads), .truth(isSeen), .truth(cluster.isPaused),
                .integer(Self.reason(last)), .counter32(last?.number ?? 0),
                .truth(cluster.isPairInSync),
                (primary ?? cluster).lagRecords.map { .counter64($0) },
                exchange?[.gateWaitNanos].map { .wide($0) }, .truth(false),
                .truth(cluster.leads && !cluster.isPairInSync && onlyHere != 0),
                last.map { .date($0.time) },
                last?.pauseNanos.map { .gauge(closest: $0 / 1_000_000) },
                .text(last?.why ?? ""), .truth(cluster.etcdFault == nil),
                .gauge(UInt32(cluster.etcd.count { $0.fault == nil })),
                onlyHere.map { .counter64($0) },
            ])
    }

    /// The last changes of the primary.
    mutating func switchovers(_ cluster: ClusterDocument) {
        for change in cluster.primaryChanges {
            // BourseRole: primary 3, standby 4.
            row(
                12, [change.number], from: 2,
                [
                    .date(change.time), .integer(Self.reason(change)),
                    .counter64(UInt64(change.epoch)), .integer(change.to == cluster.host ? 3 : 4),
                    change.pauseNanos.map { .gauge(closest: $0 / 1_000_000) },
                ])
        }
    }

    /// BourseRedundancyState of a role.
    private static func state(_ role: String) -> Int32 {
        switch role {
        case "starting": 3
        case "claiming", "promoting": 4
        case "learner": 6
        case "standby": 7
        case "handingOver": 8
        case "primary": 9
        default: 1
        }
    }

    /// BourseSwitchReason of a change; nil: there was none.
    private static func reason(_ change: ClusterHandover?) -> Int32 {
        guard let change else { return 1 }
        return switch change.cause {
        case "switchover", "failover": 2
        case "forced": 3
        case "grace": 4
        case "reaped", "alone", "restart": 5
        default: 6
        }
    }

    mutating func daemons(_ units: [HostTables.Unit], isBelieved: Bool) {
        let states = [
            "active", "reloading", "inactive", "failed", "activating", "deactivating",
            "maintenance",
        ]
        for unit in units {
            let index = Self.index(unit.name, max: 64)
            guard isBelieved else {
                row(5, index, from: 2, [.integer(8)])
                continue
            }
            let state = states.firstIndex(of: unit.active).map { Int32($0 + 1) } ?? 8
            row(
                5, index, from: 2,
                [
                    .integer(state), .text(unit.load, max: 32), .text(unit.sub, max: 32),
                    .gauge(closest: unit.pid),
                    .counter32(UInt32(truncatingIfNeeded: unit.restarts)), .date(unit.since),
                    .text(unit.status), unit.memoryBytes.map { .wide($0) },
                    unit.cpuNanos.map { .wide($0) }, .wide(unit.watchdogMicros),
                ])
        }
    }

    mutating func checks(_ checks: [ReportedCheck], isBelieved: Bool) {
        for check in checks {
            guard let kind = UInt32(exactly: check.kind) else { continue }
            let index = [kind] + Self.index(check.subject, max: 96)
            let state = isBelieved ? check.state : .unknown
            let value = isBelieved ? check.value : nil
            row(
                6, index, from: 3,
                [
                    .text(check.name), .integer(Int32(state.rawValue)),
                    value.map { .closest($0) }, value.map { .text(String($0)) },
                    .text(check.unit, max: 32), check.thresholds.warning.map { .closest($0) },
                    check.thresholds.critical.map { .closest($0) }, .date(check.since),
                    .counter64(check.failures), .text(check.text),
                ])
            guard check.state.isAlarm else { continue }
            row(
                7, index, from: 1,
                [
                    .objectID(root.appending(1, 6, 1, 3).appending(index)),
                    .integer(Int32(state.rawValue)), .date(check.since), .text(check.text),
                ])
        }
    }

    mutating func threads(_ threads: [HostTables.Thread]) {
        var counts: [[UInt32]: UInt32] = [:]
        for thread in threads.sorted(by: { $0.tid < $1.tid }) {
            let name = Self.index(thread.unit, max: 64) + Self.index(thread.thread, max: 16)
            counts[name, default: 0] += 1
            row(
                8, name + [counts[name] ?? 1], from: 4,
                [
                    .gauge(closest: thread.tid), .gauge(closest: thread.pid),
                    .gauge(closest: thread.cpu), .text(thread.allowed),
                    thread.declared.map { .gauge(closest: $0) }, .wide(thread.voluntary),
                    .wide(thread.nonvoluntary),
                ])
        }
    }

    mutating func queues(_ queues: [HostTables.Queue]) {
        for queue in queues {
            row(
                9, Self.index(queue.nic, max: 16) + Self.index(queue.queue, max: 32), from: 3,
                [
                    queue.irq.map { .gauge(closest: $0) }, .text(queue.cpus),
                    queue.packets.map { .wide($0) }, queue.drops.map { .wide($0) },
                ])
        }
    }

    mutating func disks(_ disks: [HostTables.Disk]) {
        for disk in disks {
            row(
                10, Self.index(disk.disk, max: 32), from: 2,
                [
                    .wide(disk.sizeBytes), .wide(disk.reads), .wide(disk.writes),
                    disk.writeMicros.map { .wide($0) }, disk.flushMicros.map { .wide($0) },
                    disk.busyPercent.map { .gauge(closest: min($0, 100)) },
                    disk.temperature.map { .closest($0) },
                    disk.healthPercentUsed.map { .gauge(closest: $0) },
                ])
        }
    }

    mutating func directories(_ directories: [HostTables.DirectorySpace]) {
        for directory in directories {
            row(
                11, Self.index(directory.name, max: 64), from: 2,
                [
                    .text(directory.path), .wide(directory.bytes), .wide(directory.freeBytes),
                    .wide(directory.inodes), .wide(directory.freeInodes),
                ])
        }
    }

    mutating func chains(_ chains: [HostTables.Chain]) {
        for chain in chains {
            row(
                13, [UInt32(chain.network)], from: 2,
                [
                    .text(chain.name, max: 64), .text(chain.asset, max: 40),
                    .text(chain.condition, max: 40), chain.tip.map { .wide($0) },
                    .wide(chain.credited), .wide(chain.pending), chain.approved.map { .wide($0) },
                    chain.open.map { .wide($0) }, chain.free.map { .wide($0) },
                    chain.total.map { .wide($0) }, chain.cold.map { .wide($0) },
                    chain.ceiling.map { .wide($0) }, chain.target.map { .wide($0) },
                    chain.hotPercent.map { .gauge(closest: $0) },
                ])
        }
    }
}
