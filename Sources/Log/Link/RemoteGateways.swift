// Gateways on other hosts: TLS towards them, a socket towards the Link.

internal import Glibc
public import Platform
public import Secrets
internal import Synchronization

/// Takes the connections of gateways on other hosts, by TLS 1.3 with certificates on both sides,
/// and passes their bytes to the Link and back.
///
/// A gateway's certificate is by the cluster's authority and has a name that ends with
/// `LinkProtocol.gatewaySuffix`; no other host's has. To the Link its connection is one of a
/// gateway, whatever it sends, and has the sessions of its name alone. One thread serves all of
/// them, so that nothing here holds up the Link's: a handshake costs only this thread, and what a
/// gateway does not take fills its two buffers, after which the Link treats it as any connection
/// that is not read.
///
/// Bounds: `strangersMax` connections that have not proved themselves, each for `proofNanosMax`;
/// of one address `strangersOfOneMax`, and `newcomersOfOneMax` a second, so that no address keeps
/// out another. One connection a gateway, the newest, and `gatewaysMax` gateways. A gateway that is
/// refused is told why, at most `refusedMax` at a time.
public final class RemoteGateways: Sendable {
    private let shared = Shared()
    private let thread: PinnedThread

    /// Connections that have not shown a certificate, at most.
    public static var strangersMax: Int { 16 }
    /// The same, of one address.
    public static var strangersOfOneMax: Int { 8 }
    /// Connections of one address that are taken in a second, at most.
    public static var newcomersOfOneMax: Int { 100 }
    /// How long one of them has, ns.
    public static var proofNanosMax: Int64 { 5_000_000_000 }
    /// Gateways that are refused and still read why, at most.
    public static var refusedMax: Int { 16 }
    /// Gateways that are connected, at most.
    public static var gatewaysMax: Int { 16 }

    /// What the thread and its owner share.
    final class Shared: Sendable {
        let isStopping = Atomic<Bool>(false)
        let connected = Mutex<[ConnectedGateway]>([])
    }

    /// Listens at `address` (numeric, as `10.0.0.1:7415`) with this host's `files`, which are read
    /// at each connection, and passes what comes to `link`. What `removed` names, a file as
    /// `RemovedGateways` has it, is refused, and ended within about 0.2 s; while the file cannot be
    /// read nobody comes in. `note` gets a line about a gateway
    /// that comes or goes and about one that is refused, at most one of each a second; it is called
    /// on the thread.
    public init(
        address: String, files: TLSFiles, removed: String, link: LinkListener,
        note: @escaping @Sendable (String) -> Void
    ) throws(SystemError) {
        let listener = try TCPSocket.listen(address, backlog: 16)
        let shared = shared
        do throws(SystemError) {
            thread = try PinnedThread.start(name: "gateways") {
                RemoteGatewayLoop(listener, files, removed, link, shared, note).run()
                _ = close(listener)
            }
        } catch {
            _ = close(listener)
            throw error
        }
    }

    /// The gateways that are connected, by name.
    public var connected: [ConnectedGateway] { shared.connected.withLock { $0 } }

    /// Ends the connections and the thread, within about a tenth of a second. Call it once, after
    /// the Link has ended.
    public func stop() {
        shared.isStopping.store(true, ordering: .releasing)
        thread.join()
    }
}

/// A gateway that is connected.
public struct ConnectedGateway: Hashable, Sendable {
    /// Its name, by its certificate.
    public var name: String
    /// The address that it comes from.
    public var address: String
    /// Since when, by the host's clock, nanoseconds since 1970.
    public var since: Int64
}

/// The thread.
private final class RemoteGatewayLoop {
    private let listener: Int32
    private let files: TLSFiles
    private let removedFile: String
    private var removedReadAt: Int64 = 0
    private let link: LinkListener
    private let shared: RemoteGateways.Shared
    private let note: @Sendable (String) -> Void
    private var strangers: [RemoteGateway] = []
    private var gateways: [RemoteGateway] = []
    /// Those that are refused and still read why, the oldest first.
    private var refused: [RemoteGateway] = []
    private var acceptAt: Int64 = 0
    private var newcomers = NewcomerCount()
    private var isListDamaged = false
    /// When a refusal was noted last, and that a gateway came or went.
    private var (refusedAt, movedAt): (Int64, Int64) = (.min, .min)

    /// Connections that are taken, or ended at once, before the others have their turn.
    private static let acceptsMax = 16
    private static let waitMillis: Int32 = 100
    /// How often the list of removed gateways is read while there are gateways, ns.
    private static let removedReadNanos: Int64 = 100_000_000

    init(
        _ listener: Int32, _ files: TLSFiles, _ removed: String, _ link: LinkListener,
        _ shared: RemoteGateways.Shared, _ note: @escaping @Sendable (String) -> Void
    ) {
        (self.listener, self.files, self.link) = (listener, files, link)
        removedFile = removed
        (self.shared, self.note) = (shared, note)
    }

    func run() {
        while !shared.isStopping.load(ordering: .acquiring) {
            let now = Clock.monotonicNanos()
            refused.removeAll { $0.isGone(now) }
            endRemoved(now)
            // In this order: what came behind a handshake may be in memory, where no wait sees it.
            accept(now)
            greet(now)
            serve(now)
            wait(now)
        }
    }

    private func wait(_ now: Int64) {
        let all = strangers + gateways + refused
        var entries = all.flatMap(\.awaited)
        if now >= acceptAt {
            entries.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0))
        }
        let isBusy = all.contains(where: \.hasMore)
        _ = unsafe poll(&entries, UInt(entries.count), isBusy ? 0 : Self.waitMillis)
        for entry in entries where entry.revents & Int16(POLLERR | POLLHUP) != 0 {
            for one in all { one.hungUp(entry.fd) }
        }
    }

    private func accept(_ now: Int64) {
        guard now >= acceptAt else { return }
        for _ in 0..<Self.acceptsMax {
            do throws(SystemError) {
                guard let socket = try TCPSocket.accept(listener) else { return }
                let address = TCPSocket.peer(of: socket)
                guard makeRoom(for: address, now) else {
                    _ = close(socket)
                    say("connections of \(address) to the Link are refused: it opens too many")
                    continue
                }
                TCPSocket.limitSilence(socket, seconds: 10)
                if let one = stranger(socket, address, now) { strangers.append(one) }
            } catch {
                // Such as EMFILE: trying again at once would only spin.
                acceptAt = now + 100_000_000
                say("a connection could not be taken: \(error)")
                return
            }
        }
    }

    /// Whether a connection of this address is taken: what it costs is paid by its address alone.
    private func makeRoom(for address: String, _ now: Int64) -> Bool {
        func count(_ address: String) -> Int { strangers.count { $0.address == address } }
        guard newcomers.add(address, at: now), count(address) < RemoteGateways.strangersOfOneMax
        else { return false }
        guard strangers.count == RemoteGateways.strangersMax else { return true }
        // The oldest of the address that has most.
        guard let most = strangers.map(\.address).max(by: { count($0) < count($1) }),
            count(most) > count(address) + 1,
            let first = strangers.firstIndex(where: { $0.address == most })
        else { return false }
        strangers.remove(at: first)
        return true
    }

    private func stranger(_ socket: Int32, _ address: String, _ now: Int64) -> RemoteGateway? {
        do throws(TLSError) {
            return RemoteGateway(
                try TLSStream(
                    socket, isServer: true, address: address, files: files,
                    expecting: [LinkProtocol.gatewaySuffix]),
                address, deadline: now + RemoteGateways.proofNanosMax)
        } catch {
            say(error.description)
            return nil
        }
    }

    /// Continues with the strangers; who has proved itself is passed to the Link.
    private func greet(_ now: Int64) {
        var remaining: [RemoteGateway] = []
        for one in strangers {
            do throws(TLSError) {
                if try one.shakeHands() {
                    admit(one)
                } else if now < one.deadline {
                    remaining.append(one)
                } else {
                    throw .timedOut(peer: one.address, during: "show its certificate")
                }
            } catch {
                say("a connection to the Link was refused: \(error)")
                if case .certificate = error { part(one, nil) }
            }
        }
        strangers = remaining
    }

    /// Lets a gateway go that is refused, once it has read why; nil: TLS has told it already.
    private func part(_ one: RemoteGateway, _ refusal: LinkRefusal?) {
        if refused.count == RemoteGateways.refusedMax { refused.removeFirst() }
        one.refuse(refusal)
        refused.append(one)
    }

    private func refuse(_ one: RemoteGateway, _ code: LinkRefusal.Code, _ why: String) {
        say("the gateway \(one.name) at \(one.address) was refused: \(why)")
        part(one, LinkRefusal(code, "this gateway is refused: \(why)"))
    }

    private func admit(_ one: RemoteGateway) {
        guard let writer = LinkProtocol.writer(ofGateway: one.name) else {
            return refuse(one, .access, "\(one.name) in its certificate is no gateway's name")
        }
        do throws(SystemError) {
            guard try !RemovedGateways(file: removedFile).refuses(one.name, made: one.made) else {
                return refuse(
                    one, .access,
                    "it was removed from the cluster; sudo boursectl cluster invite \(one.name) "
                        + "--gateway gives it a new certificate")
            }
        } catch {
            return refuse(one, .unavailable, "the list of removed gateways is not known: \(error)")
        }
        let before = gateways.firstIndex { $0.name == one.name }
        guard before != nil || gateways.count < RemoteGateways.gatewaysMax else {
            return refuse(
                one, .limit,
                "\(RemoteGateways.gatewaysMax) gateways on hosts of their own are connected, the "
                    + "most that a host takes; stop one that is not needed")
        }
        guard one.open(link, as: writer) else {
            return refuse(one, .limit, "many connections wait for the Link")
        }
        // The one before may be what its host's power failure has left.
        if let before { gateways.remove(at: before) }
        gateways.append(one)
        publish()
        sayMoved("the gateway \(one.name) is connected from \(one.address)")
    }

    private func serve(_ now: Int64) {
        let count = gateways.count
        gateways.removeAll { one in
            guard let end = one.serve(now) else { return false }
            sayMoved("the gateway \(one.name) is no longer connected: \(end)")
            return true
        }
        if gateways.count != count { publish() }
    }

    /// Ends the connections of gateways that were removed meanwhile.
    private func endRemoved(_ now: Int64) {
        guard !gateways.isEmpty, now >= removedReadAt + Self.removedReadNanos else { return }
        removedReadAt = now
        let removed: RemovedGateways
        do throws(SystemError) { removed = try RemovedGateways(file: removedFile) } catch {
            if !isListDamaged {
                note("the list of removed gateways cannot be read, so none comes in: \(error)")
            }
            isListDamaged = true
            return
        }
        isListDamaged = false
        let count = gateways.count
        gateways.removeAll { one in
            guard removed.refuses(one.name, made: one.made) else { return false }
            note("the gateway \(one.name) is no longer connected: it was removed")
            return true
        }
        if gateways.count != count { publish() }
    }

    private func publish() {
        let connected = gateways.map(\.connected).sorted { $0.name < $1.name }
        shared.connected.withLock { $0 = connected }
    }

    /// Notes a refusal.
    private func say(_ line: String) { limited(line, &refusedAt) }

    /// Notes that a gateway came or went.
    private func sayMoved(_ line: String) { limited(line, &movedAt) }

    private func limited(_ line: String, _ notedAt: inout Int64) {
        let now = Clock.monotonicNanos()
        guard notedAt == .min || now - notedAt >= 1_000_000_000 else { return }
        notedAt = now
        note(line)
    }
}

/// How many connections each address opened within this second.
private struct NewcomerCount {
    private var counts: [String: Int] = [:]
    private var since: Int64 = .min
    private static let addressesMax = 1_024

    /// Counts one; whether it is within the bounds.
    mutating func add(_ address: String, at now: Int64) -> Bool {
        if since == .min || now - since >= 1_000_000_000 { (counts, since) = ([:], now) }
        guard counts[address] != nil || counts.count < Self.addressesMax else { return false }
        counts[address, default: 0] += 1
        return counts[address, default: 0] <= RemoteGateways.newcomersOfOneMax
    }
}
