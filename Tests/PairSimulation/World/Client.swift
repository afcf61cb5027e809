// A writer that follows the log, and viewers that only look: what a gateway is made of.

import CMachine
import Engine
import Follower
import Link
import Platform
import Terms
import Wire

/// A client of the exchange: submits numbered commands in one session, on whichever host leads.
final class Client {
    private var session = WriterSession<Int>(name: Text40("gateway/1")!, capacity: 64)
    private var commands = 0
    private(set) var inFlight = 0
    private var resolvedAt: Int64 = 0

    func run() {
        var host = 0
        while true {
            do throws(LinkError) { try serve(host) } catch {
                if case .notRunning = error {
                } else {
                    world.trace("client at \(world.hosts[host].name): \(error)")
                }
                if case .refused(let refusal) = error, refusal.code == .forked {
                    if world.judge.forced == nil {
                        world.judge.accuse("the client saw what was cut")
                    }
                    beginAnew()
                }
            }
            session.disconnected()
            host = 1 - host
            Clock.sleep(nanos: 10_000_000)
        }
    }

    private var follower: Box?

    private final class Box {
        var follower: Follower
        init(_ welcome: LinkWelcome) {
            follower = Follower(welcome, rulesKnown: SimulatedHost.nextRules)
        }
    }

    private func serve(_ host: Int) throws(LinkError) {
        let link = try LinkClient.connect(
            unix: world.places(host).link, name: Text40("gateway/1")!,
            epochMax: follower?.follower.epochMax ?? 0, timeoutNanos: 300_000_000)
        guard link.welcome.role == .primary else { return }
        var encoder = LinkEncoder()
        do throws(FollowerError) {
            if let follower {
                try follower.follower.reconnected(link.welcome)
            } else {
                follower = Box(link.welcome)
            }
        } catch {
            world.judge.accuse("the client cannot go on: \(error)")
            return
        }
        guard let follower else { return }
        encoder.append(follower.follower.subscription)
        guard session.connected(&encoder, epoch: link.welcome.epoch) else { return }
        try link.send(&encoder)
        world.trace("client at \(world.hosts[host].name), epoch \(link.welcome.epoch)")
        var heardAt = Clock.monotonicNanos()
        var submitAt = heardAt
        resolvedAt = heardAt
        while true {
            let now = Clock.monotonicNanos()
            // It waits where a primary became a standby: the other host may lead.
            if inFlight == 0 { resolvedAt = now }
            if now - resolvedAt > 2_500_000_000 { return }
            if now >= submitAt {
                submitAt =
                    now + world.plan.loadNanos / 2
                    + Int64(machine_random() % UInt64(world.plan.loadNanos))
                submit(&encoder)
            }
            if !encoder.isEmpty { try link.send(&encoder, timeoutNanos: 1_000_000_000) }
            let pause = max(0, min(submitAt - now, 50_000_000))
            guard let frame = try link.receive(timeoutNanos: pause) else {
                if now - heardAt > 1_500_000_000 { return }
                continue
            }
            heardAt = now
            if case .acks(let acks) = frame {
                for ack in acks {
                    if ack.isLogged { world.judge.acknowledged(host, ack) }
                    for each in session.acked(ack, &encoder) { resolve(each, 0) }
                }
            }
            var resolved: [(WriterSession<Int>.Resolved, UInt64)] = []
            do throws(FollowerError) {
                _ = try follower.follower.receive(frame) { header, bytes, outcome, _ in
                    world.judge.shown(host, header)
                    resolved += session.applied(header, bytes, outcome, &encoder).map {
                        ($0, header.sequence)
                    }
                }
            } catch {
                world.trace("client: \(error)")
                if case .staleEpoch = error { return }
                if case .forked = error, world.judge.forced != nil { return beginAnew() }
                world.judge.accuse("the client's replica: \(error)")
                return
            }
            for (each, sequence) in resolved { resolve(each, sequence) }
        }
    }

    private func submit(_ encoder: inout LinkEncoder) {
        if case .replaced = session.state { session.reopen(&encoder) }
        guard !world.isDraining, session.canSubmit else { return }
        commands += 1
        let payload = OpenAccount(
            name: Text40("c\(commands)")!,
            audit: Audit(operatorName: Text40("op")!, reason: "r"))
        if session.submit(payload, tag: commands, &encoder) {
            inFlight += 1
        } else {
            commands -= 1
        }
    }

    private func resolve(_ resolved: WriterSession<Int>.Resolved, _ sequence: UInt64) {
        resolvedAt = Clock.monotonicNanos()
        inFlight -= 1
        switch resolved.outcome.refusal {
        case .sessionUnknown, .diskReserve, .poisoned: world.judge.refused(resolved.tag)
        default: world.judge.resolved(resolved.tag, sequence)
        }
    }

    /// A forced failover gave up what this client has: it begins anew, as a gateway does, and
    /// nobody knows what became of its commands.
    private func beginAnew() {
        follower = nil
        session = WriterSession<Int>(name: Text40("gateway/1")!, capacity: 64)
        inFlight = 0
    }
}

/// Looks at what one host shows, all the time.
final class Viewer {
    let host: Int
    private var last: (sequence: UInt64, epoch: UInt32, crc: UInt32) = (0, 0, 0)
    init(_ host: Int) { self.host = host }

    func run() {
        while true {
            do throws(LinkError) { try look() } catch {
                if case .refused(let refusal) = error, refusal.code == .forked {
                    if world.judge.forced != nil {
                        last = (0, 0, 0)
                        continue
                    }
                    world.judge.accuse("host \(host) has cut what a viewer saw: \(last)")
                }
            }
            Clock.sleep(nanos: 30_000_000)
        }
    }

    private func look() throws(LinkError) {
        let link = try LinkClient.connect(
            unix: world.places(host).link, name: Text40("viewer")!, wantsAcks: false,
            timeoutNanos: 300_000_000)
        try link.send(
            .subscribe(
                LinkSubscription(from: last.sequence + 1, epoch: last.epoch, crc: last.crc)))
        while true {
            guard let frame = try link.receive(timeoutNanos: 3_000_000_000) else { return }
            guard case .records(let records) = frame else { continue }
            records.forEach { (header, _) throws(Never) in
                if header.sequence <= last.sequence { return }
                world.judge.shown(host, header)
                last = (header.sequence, header.epoch, header.crc)
            }
        }
    }
}
