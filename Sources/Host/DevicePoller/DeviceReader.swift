// The SNMP manager of one device: reads it in rounds, each into a file.

internal import CNetSNMP
internal import Platform
internal import SNMP

/// A device that is polled over SNMPv3.
public struct PolledDevice: Sendable {
    /// Its name, also that of its file.
    public var name: String
    /// Where its agent listens, as `udp:10.0.0.5:161`.
    public var peer: String
    /// Its user, and how that authenticates and encrypts.
    public var user, auth, priv: String
    /// The file with its passphrases: lines `auth PASSPHRASE` and `priv PASSPHRASE`.
    public var credential: String
    /// What the owner declared of it, lines of `name value`, which precede the values.
    public var notes: [String] = []
    let plan: DevicePlan

    /// A device of a kind: `ups`, `pdu`, `switch` or `sensors`; `ports` are those of a switch, and
    /// `walks` are further columns, each with a name.
    public init(
        name: String, peer: String, user: String, auth: String, priv: String, credential: String,
        kind: String, ports: [UInt32], walks: [(name: String, numbers: [UInt32])]
    ) {
        (self.name, self.peer, self.user) = (name, peer, user)
        (self.auth, self.priv, self.credential) = (auth, priv, credential)
        plan = DevicePlan(kind: kind, ports: ports, walks: walks)
    }
}

/// Why a device cannot be read at all.
struct DeviceError: Error, CustomStringConvertible { let description: String }

/// A device's session and its current round. Only the thread that owns the library uses it.
@safe final class DeviceReader {
    private let device: PolledDevice
    private let file: String
    private let report: (_ isFault: Bool, String) -> Void
    private var session: UnsafeMutableRawPointer?
    private var round: DeviceRound?
    private var nextTime: Int64 = 0
    /// The failures that were reported since it last answered, each once.
    private var reported: Set<String> = []
    private var failures = 0

    /// Reads the passphrases; nothing is sent yet.
    init(
        _ device: PolledDevice, directory: String,
        report: @escaping (_ isFault: Bool, String) -> Void
    ) {
        (self.device, self.report) = (device, report)
        file = Directory.join(directory, device.name)
        open()
    }

    deinit { close() }

    /// Opens the session, or reports why there is none.
    private func open() {
        let secrets: (auth: String, priv: String)
        do throws(DeviceError) { secrets = try Self.secrets(device.credential) } catch {
            return report(true, "target \(device.name): \(error)")
        }
        // It closes the session before it goes.
        let me = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe session = bourse_snmp_target_open(
            device.peer, device.user, device.auth, secrets.auth, device.priv, secrets.priv,
            bourse_snmp_target_callbacks(
                context: me,
                value: { context, name, count, type, number, bytes, byteCount in
                    let name = unsafe ObjectID(
                        Array(UnsafeBufferPointer(start: name, count: count)))
                    let bytes = unsafe Array(UnsafeBufferPointer(start: bytes, count: byteCount))
                    unsafe DeviceReader.from(context).round?.take(
                        name, DeviceReader.value(type, number, bytes))
                },
                answered: { context, result in
                    unsafe DeviceReader.from(context).answered(result)
                }))
        if unsafe session == nil {
            report(
                true,
                "target \(device.name): \(device.auth) or \(device.priv) is not known here, or a "
                    + "passphrase has less than 8 characters")
        }
    }

    private func close() {
        if let open = unsafe session { unsafe bourse_snmp_target_close(open) }
        unsafe session = nil
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> DeviceReader {
        guard let context = unsafe context else { preconditionFailure("the context is there") }
        return unsafe Unmanaged<DeviceReader>.fromOpaque(context).takeUnretainedValue()
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
        round = DeviceRound(device.plan)
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

    /// Whether the last round succeeded.
    var isAnswering: Bool { isKnown && failures == 0 }

    /// Whether the device has ever answered on this session.
    private var isKnown: Bool {
        guard let open = unsafe session else { return false }
        return unsafe bourse_snmp_target_is_known(open) != 0
    }

    private func finish() {
        if !reported.isEmpty { report(false, "target \(device.name) answers again") }
        (reported, failures) = ([], 0)
        keep(round?.lines ?? [])
        round = nil
    }

    /// Discards the whole round after a failure.
    private func fail(_ why: String) {
        if reported.insert(why).inserted { report(true, "target \(device.name) \(why)") }
        failures += 1
        round = nil
        keep(["error \(why)"])
    }

    /// Opens a new session after some failures: another device with another engine may have taken
    /// its place. Not from within a callback of the session.
    func reopen() {
        guard failures >= 3, round == nil else { return }
        failures = 0
        // The engine of one that never answered is asked for each time; keys are slow to make.
        if unsafe session != nil, !isKnown { return }
        close()
        open()
    }

    /// Writes a new file and renames it: readers see a whole round.
    private func keep(_ lines: [String]) {
        let all = ["time \(Clock.realtimeNanos())"] + device.notes + lines
        let text = all.joined(separator: "\n") + "\n"
        do throws(SystemError) {
            try File.replace(file, with: Array(text.utf8), mode: 0o644)
        } catch { report(true, "target \(device.name): \(error)") }
    }

    /// The passphrases in a file that only its owner may read.
    private static func secrets(
        _ path: String
    ) throws(DeviceError) -> (auth: String, priv: String) {
        let (text, mode): (String, UInt32)
        do throws(SystemError) {
            let file = try File(path, .read)
            mode = try file.permissions()
            text = String(decoding: try file.read(count: 4_096), as: UTF8.self)
        } catch { throw DeviceError(description: error.description) }
        guard mode & 0o077 == 0 else {
            throw DeviceError(description: "\(path) may be read by others: chmod 600 it")
        }
        func value(_ key: String) -> String? {
            text.split(separator: "\n").first { $0.hasPrefix(key + " ") }
                .map { String($0.dropFirst(key.count + 1)) }
        }
        guard let auth = value("auth"), let priv = value("priv") else {
            throw DeviceError(
                description: "\(path) needs the lines `auth PASSPHRASE` and `priv PASSPHRASE`")
        }
        return (auth, priv)
    }
}
