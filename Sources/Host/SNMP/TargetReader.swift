// The manager: asks one device for what its plan says, in rounds, and keeps what it read in a file.

internal import CNetSNMP
internal import Platform

/// A device that is read over SNMPv3.
public struct SubagentTarget: Sendable {
    /// Its name, which its file has too.
    public var name: String
    /// Where its agent listens, as `udp:10.0.0.5:161`.
    public var peer: String
    /// Its user, and how that authenticates and encrypts.
    public var user, auth, priv: String
    /// The file with its passphrases: lines `auth PASSPHRASE` and `priv PASSPHRASE`.
    public var credential: String
    /// What the owner said of it, `name value` by line, which stands beside what is read.
    public var notes: [String] = []
    let plan: TargetPlan

    /// A device of a kind: `ups`, `pdu`, `switch` or `sensors`; `ports` are those of a switch, and
    /// `walks` are further columns, each with a name.
    public init(
        name: String, peer: String, user: String, auth: String, priv: String, credential: String,
        kind: String, ports: [UInt32], walks: [(name: String, numbers: [UInt32])]
    ) {
        self.name = name
        self.peer = peer
        self.user = user
        self.auth = auth
        self.priv = priv
        self.credential = credential
        plan = TargetPlan(kind: kind, ports: ports, walks: walks)
    }
}

/// Why a device cannot be read at all.
struct TargetFault: Error, CustomStringConvertible {
    let description: String
}

/// One device's session and the round that is on its way. Only the thread that owns the library
/// uses it.
@safe final class TargetReader {
    private let target: SubagentTarget
    private let file: String
    private let report: (String) -> Void
    private var session: UnsafeMutableRawPointer?
    private var round: TargetRound?
    private var nextTime: Int64 = 0
    /// What was told of it since it last answered: each once.
    private var told: Set<String> = []
    private var faults = 0

    /// Reads the passphrases; nothing is sent yet.
    init(_ target: SubagentTarget, directory: String, report: @escaping (String) -> Void) {
        self.target = target
        self.report = report
        file = Directory.join(directory, target.name)
        open()
    }

    deinit { close() }

    /// Opens the session, or reports why there is none.
    private func open() {
        let secrets: (auth: String, priv: String)
        do throws(TargetFault) { secrets = try Self.secrets(target.credential) } catch {
            return report("target \(target.name): \(error)")
        }
        // It closes the session before it goes.
        let me = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe session = bourse_snmp_target_open(
            target.peer, target.user, target.auth, secrets.auth, target.priv, secrets.priv,
            bourse_snmp_target_callbacks(
                context: me,
                value: { context, name, count, type, number, bytes, byteCount in
                    let name = unsafe ObjectID(
                        Array(UnsafeBufferPointer(start: name, count: count)))
                    let bytes = unsafe Array(UnsafeBufferPointer(start: bytes, count: byteCount))
                    unsafe TargetReader.from(context).round?.take(
                        name, TargetReader.value(type, number, bytes))
                },
                answered: { context, result in
                    unsafe TargetReader.from(context).answered(result)
                }))
        if unsafe session == nil {
            report(
                "target \(target.name): \(target.auth) or \(target.priv) is not known here, or a "
                    + "passphrase has less than 8 characters")
        }
    }

    private func close() {
        if let open = unsafe session { unsafe bourse_snmp_target_close(open) }
        unsafe session = nil
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> TargetReader {
        guard let context = unsafe context else { preconditionFailure("the context is there") }
        return unsafe Unmanaged<TargetReader>.fromOpaque(context).takeUnretainedValue()
    }

    private static func value(_ type: Int32, _ number: UInt64, _ bytes: [UInt8]) -> MIBValue? {
        switch Int(type) {
        case BOURSE_SNMP_INTEGER: .integer(Int32(truncatingIfNeeded: number))
        case BOURSE_SNMP_GAUGE32, BOURSE_SNMP_TIMETICKS: .gauge(UInt32(truncatingIfNeeded: number))
        case BOURSE_SNMP_COUNTER32: .counter32(UInt32(truncatingIfNeeded: number))
        case BOURSE_SNMP_COUNTER64: .counter64(number)
        case BOURSE_SNMP_OCTETS: .octets(bytes)
        default: nil
        }
    }

    /// Begins a round where one is due; never waits.
    func run(at now: Int64, periodNanos: Int64) {
        guard round == nil, now >= nextTime else { return }
        nextTime = now + periodNanos
        round = TargetRound(target.plan)
        ask()
    }

    private func ask() {
        guard let question = round?.question else { return finish() }
        guard let open = unsafe session,
            let made = unsafe bourse_snmp_question(question.isWalk ? 20 : 0)
        else { return fail("cannot be asked: its credential or its algorithms are wrong") }
        for name in question.names {
            unsafe bourse_snmp_question_add(made, name.numbers, name.numbers.count)
        }
        if unsafe bourse_snmp_target_ask(open, made) == 0 { fail("cannot be asked") }
    }

    private func answered(_ result: Int32) {
        guard round != nil else { return }
        switch Int(result) {
        case BOURSE_SNMP_ANSWERED:
            round?.answered()
            ask()
        case BOURSE_SNMP_ASK_AGAIN: ask()
        case BOURSE_SNMP_TIMED_OUT where isKnown:
            fail("does not answer any more, or not to this user and these passphrases")
        case BOURSE_SNMP_TIMED_OUT: fail("does not answer")
        default: fail("refuses: check user, passphrases, auth and priv")
        }
    }

    /// Whether the device has ever answered on this session.
    private var isKnown: Bool {
        guard let open = unsafe session else { return false }
        return unsafe bourse_snmp_target_is_known(open) != 0
    }

    private func finish() {
        if !told.isEmpty { report("target \(target.name) answers again") }
        (told, faults) = ([], 0)
        keep(round?.lines ?? [])
        round = nil
    }

    /// The round has failed: nothing of it is kept, for half of it may be old.
    private func fail(_ why: String) {
        if told.insert(why).inserted { report("target \(target.name) \(why)") }
        faults += 1
        round = nil
        keep(["error \(why)"])
    }

    /// After some failures: another device may have taken its place, whose engine is another one.
    /// Not from within a callback of the session.
    func reopen() {
        guard faults >= 3, round == nil else { return }
        faults = 0
        // One that never answered is asked who it is every time anyway; keys are slow to make.
        if unsafe session != nil, !isKnown { return }
        close()
        open()
    }

    /// Writes the file aside and renames it: who reads it sees a whole round.
    private func keep(_ lines: [String]) {
        let all = ["time \(Clock.realtimeNanos())"] + target.notes + lines
        let text = all.joined(separator: "\n") + "\n"
        do throws(SystemError) {
            try File.replace(file, with: Array(text.utf8), mode: 0o644)
        } catch {
            report("target \(target.name): \(error)")
        }
    }

    /// The passphrases in a file that only its owner may read.
    private static func secrets(
        _ path: String
    ) throws(TargetFault) -> (auth: String, priv: String) {
        let (text, mode): (String, UInt32)
        do throws(SystemError) {
            let file = try File(path, .read)
            mode = try file.permissions()
            text = String(decoding: try file.read(count: 4_096), as: UTF8.self)
        } catch { throw TargetFault(description: error.description) }
        guard mode & 0o077 == 0 else {
            throw TargetFault(description: "\(path) may be read by others: chmod 600 it")
        }
        func value(_ key: String) -> String? {
            text.split(separator: "\n").first { $0.hasPrefix(key + " ") }
                .map { String($0.dropFirst(key.count + 1)) }
        }
        guard let auth = value("auth"), let priv = value("priv") else {
            throw TargetFault(
                description: "\(path) needs the lines `auth PASSPHRASE` and `priv PASSPHRASE`")
        }
        return (auth, priv)
    }
}
