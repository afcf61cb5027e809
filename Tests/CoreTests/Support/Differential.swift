// The engine and its slow twin fed with one random log, and compared after each command.

import Engine
import Terms
import Wire

/// What the two did not agree on, with the way to see it again.
struct Difference: Error, CustomStringConvertible {
    var seed: UInt64
    var step: Int
    var what: String

    var description: String {
        """
        seed \(seed), step \(step): \(what)
        replay: BOURSE_SEED=\(seed) BOURSE_STEPS=\(step) swift test -c release --filter Differential
        """
    }
}

/// After how many commands something waited to go on by ticks.
struct Waits {
    var flights = 0
    var massCancels = 0
    var kills = 0
    var elections = 0
    var states = 0
    var payments = 0
    var proposals = 0

    mutating func add(_ other: Waits) {
        flights += other.flights
        massCancels += other.massCancels
        kills += other.kills
        elections += other.elections
        states += other.states
        payments += other.payments
        proposals += other.proposals
    }

    mutating func count(_ twin: SlowExchange) {
        flights += twin.flights.isEmpty ? 0 : 1
        massCancels += twin.massCancels.isEmpty ? 0 : 1
        kills += twin.kills.isEmpty ? 0 : 1
        elections += twin.electing.isEmpty ? 0 : 1
        states += twin.statesToCome.isEmpty ? 0 : 1
        payments += twin.payments.isEmpty ? 0 : 1
        proposals += twin.proposals.isEmpty ? 0 : 1
    }
}

/// One run of the comparison.
final class Differential {
    let seed: UInt64
    let twin: SlowExchange
    private var engine: Engine
    /// An engine that writes no events down, as the sequencer's own: it must have the same hashes.
    private var silent: Engine
    private var stream: CommandStream
    private var taken = 0
    /// How often each refusal was met, by raw value; 0 counts what was done.
    private(set) var refusals: [UInt16: Int] = [:]
    /// How many events there were of each kind, by name.
    private(set) var eventKinds: [String: Int] = [:]
    private(set) var waits = Waits()
    /// The most orders that were open.
    private(set) var openMost = 0

    init(seed: UInt64, flaw: Flaw? = nil) {
        let limits = seedLimits(seed)
        self.seed = seed
        twin = SlowExchange(limits: limits)
        twin.flaw = flaw
        engine = Engine(limits: limits, rulesKnown: SetRules.next)
        silent = Engine(limits: limits, keepsEvents: false, rulesKnown: SetRules.next)
        stream = CommandStream(seed: seed, twin: twin)
    }

    /// Takes `steps` commands.
    func run(steps: Int) throws(Difference) {
        for _ in 0..<steps {
            try step()
            if let difference = firstDifference(engine, twin) { throw fail(difference) }
            if taken % 64 == 0 { try compareAll() }
            // Now and then, and more often while something goes on by ticks.
            if taken % 1_024 == 0 || (twin.isWorkLeft && taken % 16 == 0) { try restore() }
        }
        try compareAll()
    }

    private func fail(_ what: String) -> Difference {
        Difference(seed: seed, step: taken, what: what)
    }

    private func step() throws(Difference) {
        stream.eventHash = engine.eventHash
        let step = stream.next()
        taken += 1
        let foreseen = foresee(step)
        let isBusy = isBusy(step)
        let ours = apply(step)
        // What comes before the command itself is not foreseen.
        let isOwn = ours.refusal == .none || ours.refusal.rawValue > Refusal.voided.rawValue
        if let foreseen, isOwn, foreseen != ours.refusal {
            throw fail("\(step.command.map { "\($0)" } ?? ""): foreseen \(foreseen), was \(ours)")
        }
        if ours.refusal == .instrumentBusy, !isBusy { throw fail("busy without a sign of it") }
        let theirs =
            step.isVoided
            ? twin.pass(step.header) : twin.apply(step.header, step.command)
        let events = unsafe engine.withEvents { unsafe Array($0) }
        refusals[ours.refusal.rawValue, default: 0] += 1
        openMost = max(openMost, twin.open.count)
        waits.count(twin)
        if ours != theirs || !same(events, twin.events) {
            throw fail(
                """
                \(step.command.map { "\($0)" } ?? "malformed record") at \(twin.timestamp)
                engine: \(ours)\(list(events))
                twin:   \(theirs)\(list(twin.events))
                """)
        }
        for case .orderEnded(let order, .fillOrKill) in events where order.cumQty != .zero {
            throw fail("order \(order.order.number) was to fill or kill, and did both")
        }
        for event in events { eventKinds[name(event), default: 0] += 1 }
        if engine.hasDiverged { throw fail("the engine's own hash mark was refused") }
    }

    /// What the engine says of a new order before it takes it.
    private func foresee(_ step: Step) -> Refusal? {
        guard case .place(let order) = step.command else { return nil }
        return engine.refusal(of: order, at: step.header.timestamp)
    }

    /// The engine's answer to the sequencer, which then holds the command back.
    private func isBusy(_ step: Step) -> Bool {
        guard let command = step.command else { return false }
        return unsafe command.payload.payloadBytes().withUnsafeBytes {
            unsafe engine.isBusy(command.kind, payload: $0)
        }
    }

    /// Half of the commands as records, half decoded.
    private func apply(_ step: Step) -> Outcome {
        let bytes = step.bytes
        if step.isVoided {
            return unsafe bytes.withUnsafeBytes {
                _ = unsafe silent.skip(record: $0)
                return unsafe engine.skip(record: $0)
            }
        }
        _ = unsafe bytes.withUnsafeBytes { unsafe silent.apply(record: $0) }
        if let command = step.command, step.header.sequence % 2 == 0 {
            return engine.apply(step.header, command)
        }
        return unsafe bytes.withUnsafeBytes { unsafe engine.apply(record: $0) }
    }

    private func name(_ event: Event) -> String {
        switch event {
        case .orderAccepted: "orderAccepted"
        case .orderRefused: "orderRefused"
        case .trade: "trade"
        case .orderReplenished: "orderReplenished"
        case .orderEnded(_, let reason): "orderEnded for \(reason)"
        case .orderAmended: "orderAmended"
        case .orderTriggered: "orderTriggered"
        case .balanceAdjusted: "balanceAdjusted"
        case .feesTransferred: "feesTransferred"
        case .depositCredited: "depositCredited"
        case .depositNoted: "depositNoted"
        case .addressAssigned: "addressAssigned"
        case .withdrawalChanged(_, let status): "withdrawalChanged to \(status)"
        case .transactionSigned: "transactionSigned"
        case .transactionSettled: "transactionSettled"
        case .transactionDropped: "transactionDropped"
        case .networkChanged: "networkChanged"
        case .chainChanged: "chainChanged"
        case .operatorChanged: "operatorChanged"
        case .custodyPolicyChanged: "custodyPolicyChanged"
        case .proposalChanged(_, let status): "proposalChanged to \(status)"
        case .blockChecked: "blockChecked"
        case .withdrawalPolicyChanged: "withdrawalPolicyChanged"
        case .withdrawalLimitsChanged: "withdrawalLimitsChanged"
        case .withdrawalTermsChanged: "withdrawalTermsChanged"
        case .coldStorageChanged: "coldStorageChanged"
        case .addressBookChanged(_, _, let isAdded): "addressBookChanged: \(isAdded)"
        case .withdrawalsStopped: "withdrawalsStopped"
        case .assetChanged: "assetChanged"
        case .instrumentChanged: "instrumentChanged"
        case .accountChanged: "accountChanged"
        case .venueChanged: "venueChanged"
        case .apiKeyChanged: "apiKeyChanged"
        case .sessionOpened: "sessionOpened"
        case .sessionClosed: "sessionClosed"
        }
    }

    private func list(_ events: [Event]) -> String {
        events.map { "\n    \($0)" }.joined()
    }

    private func compareAll() throws(Difference) {
        if silent.eventHash != engine.eventHash || silent.stateHash() != engine.stateHash() {
            throw fail("the engine that keeps no events has another hash")
        }
        if let breach = engine.checkInvariants() { throw fail("engine invariant: \(breach)") }
        if let breach = twin.checkInvariants() { throw fail("twin invariant: \(breach)") }
        if let breach = conservationBreach(engine) { throw fail("conservation: \(breach)") }
        if let difference = firstDifference(engine, twin) { throw fail(difference) }
    }

    /// Goes on with what a snapshot gives back.
    private func restore() throws(Difference) {
        var bytes: [UInt8] = []
        unsafe engine.writeSnapshot { unsafe bytes.append(contentsOf: $0) }
        var read: Engine? = nil
        unsafe bytes.withUnsafeBytes {
            unsafe read = Engine(snapshot: $0, rulesKnown: SetRules.next)
        }
        guard let restored = read.take() else { throw fail("its own snapshot is not read") }
        let (before, after) = (engine.stateHash(), restored.stateHash())
        if before != after { throw fail("state hash \(before) became \(after) by a snapshot") }
        if restored.eventHash != engine.eventHash { throw fail("event hash lost by a snapshot") }
        engine = restored
        try compareAll()
    }
}
