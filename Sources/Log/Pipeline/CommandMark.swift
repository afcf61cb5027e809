// What outlives the process: the command being applied, and the log's time.

import Glibc
import Journal
public import Platform
import Synchronization
package import Terms
import Wire

/// A small mapped file that names the command the engine was applying when the process died.
///
/// A command that kills the engine never reaches the log, and its writer sends it again after each
/// restart. The mark names it; after two deaths with one command it is refused instead. The same
/// page keeps the log's time as a distance from CLOCK_BOOTTIME, so that a restart within one boot
/// goes on along it (`LogClock`).
///
///      0  u64      magic, "BOURSEC1"
///      8  u64 × 2  the boot's id; zero where it cannot be read
///     24  i64      the log's time minus CLOCK_BOOTTIME; 0: none
///     32  u64      number of the command that is being applied
///     40  u64      its session, its kind << 32, 1 << 63 while it is being applied
///     48  u64 × 2  the journal's identity: a page of another one is ignored
///     64  16 × 32  suspects: u32 session, u16 kind, u16 deaths, u64 number, u32 CRC of the
///                  payload, u32 1 where that CRC is known, 8 reserved
///
/// It belongs on tmpfs beside the Link's socket: a page on a disk may make the engine wait for that
/// disk. A power cut loses it, and no command caused that. Where it cannot be made,
/// matchd works without it. The engine thread owns it.
@safe public final class CommandMark: @unchecked Sendable {
    // Unchecked: it is made before the engine thread starts, and used by that thread alone.

    /// A command that the process died with.
    public struct Suspect: Hashable, Sendable {
        /// The writer's session.
        public var session: UInt32
        /// The raw `CommandKind`.
        public var kind: UInt16
        /// How often.
        public var deaths: UInt16
        /// The command's number in the session; 0 for the sequencer's own.
        public var number: UInt64
        var crc: UInt32 = 0
        var hasCRC = false
    }

    private let page: UnsafeMutableRawPointer
    /// Commands that a process of this boot died with.
    public private(set) var suspects: [Suspect]
    /// The log's time minus CLOCK_BOOTTIME as the process before left it; nil where none did.
    public let line: Int64?

    private static var bytes: Int { 4096 }
    private static var magic: UInt64 { 0x3143_4553_5255_4F42 }
    private static var applying: UInt64 { 1 << 63 }
    private static var suspectsMax: Int { 16 }
    private static var suspectsOffset: Int { 64 }
    private static var suspectBytes: Int { 32 }
    /// Deaths after which a command is not tried again.
    static var deathsMax: UInt16 { 2 }

    /// Opens the mark at `path`, and counts a death that it shows. What another journal's process
    /// left, or one of another boot, is ignored: session numbers and the log's time belong to one
    /// journal. `journal` and `boot` identify the two.
    public init(
        _ path: String, journal: (high: UInt64, low: UInt64),
        boot: (UInt64, UInt64) = CommandMark.bootID()
    ) throws(SystemError) {
        let file = try File(path, .create)
        let old = try file.read(count: Self.bytes)
        (suspects, line) = Self.parse(old, journal, boot)
        // Written, not only allocated: a store into a page without a disk block could be fatal.
        try file.write([UInt8](repeating: 0, count: Self.bytes))
        let raw = unsafe mmap(
            nil, Self.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0)
        guard let raw = unsafe raw, unsafe raw != MAP_FAILED else { throw .last("map", path) }
        unsafe page = raw
        unsafe page.storeBytes(of: boot.0, toByteOffset: 8, as: UInt64.self)
        unsafe page.storeBytes(of: boot.1, toByteOffset: 16, as: UInt64.self)
        unsafe page.storeBytes(of: journal.high, toByteOffset: 48, as: UInt64.self)
        unsafe page.storeBytes(of: journal.low, toByteOffset: 56, as: UInt64.self)
        writeSuspects()
        store(Self.magic, at: 0)
    }

    deinit { _ = unsafe munmap(page, Self.bytes) }

    /// The id of this boot (proc_sys_kernel(5)); zero where /proc/sys is hidden, as from an
    /// installed matchd, whose mark does not outlive the boot.
    public static func bootID() -> (UInt64, UInt64) {
        guard let file = try? File("/proc/sys/kernel/random/boot_id", .read),
            let text = try? file.read(count: 36)
        else { return (0, 0) }
        let digits = String(decoding: text.filter { $0 != UInt8(ascii: "-") }, as: UTF8.self)
        return (
            UInt64(digits.prefix(16), radix: 16) ?? 0,
            UInt64(digits.dropFirst(16).prefix(16), radix: 16) ?? 0
        )
    }

    /// The command is about to be applied.
    @inline(__always) package func enter(_ session: SessionID, _ number: UInt64, _ kind: UInt16) {
        store(number, at: 32)
        store(Self.applying | UInt64(kind) << 32 | UInt64(session.number), at: 40)
    }

    /// It was applied.
    @inline(__always) package func leave() { store(0, at: 40) }

    /// Keeps the log's time for the next process.
    @inline(__always) package func keep(line: Int64) { store(UInt64(bitPattern: line), at: 24) }

    /// A store that reaches the page: nobody in this process reads it, so a plain one could be left
    /// out by the compiler where another follows.
    @inline(__always) private func store(_ value: UInt64, at offset: Int) {
        unsafe (page + offset).assumingMemoryBound(to: Atomic<UInt64>.self).pointee
            .store(value, ordering: .releasing)
    }

    /// Whether the process died twice with this command. The first to come under a suspect's number
    /// is the one that is sent again; another one that gets the number later has another payload.
    package func refuses(
        _ session: SessionID, _ number: UInt64, _ kind: UInt16, _ payload: UnsafeRawBufferPointer
    ) -> Bool {
        guard
            let at = suspects.firstIndex(where: {
                $0.session == session.number && $0.number == number && $0.kind == kind
            }), session.number != 0, suspects[at].deaths >= Self.deathsMax
        else { return false }
        let crc = unsafe CRC32C.checksum(payload)
        if suspects[at].hasCRC { return suspects[at].crc == crc }
        (suspects[at].crc, suspects[at].hasCRC) = (crc, true)
        writeSuspects()
        return true
    }

    /// A command of this number was applied: whatever was suspected of it is over.
    package func passed(_ session: SessionID, _ number: UInt64) {
        let before = suspects.count
        suspects.removeAll { $0.session == session.number && $0.number == number }
        if suspects.count != before { writeSuspects() }
    }

    private static func parse(
        _ old: [UInt8], _ journal: (high: UInt64, low: UInt64), _ boot: (UInt64, UInt64)
    ) -> (suspects: [Suspect], line: Int64?) {
        guard old.count == bytes else { return ([], nil) }
        return unsafe old.withUnsafeBytes { raw in
            var r = unsafe WireReader(raw)
            guard r.integer(UInt64.self) == magic, r.integer(UInt64.self) == boot.0,
                r.integer(UInt64.self) == boot.1
            else { return ([], nil) }
            let line: Int64 = r.integer()
            let number: UInt64 = r.integer()
            let word: UInt64 = r.integer()
            guard r.integer(UInt64.self) == journal.high, r.integer(UInt64.self) == journal.low
            else { return ([], nil) }
            var suspects: [Suspect] = []
            for _ in 0..<suspectsMax {
                let one = Suspect(
                    session: r.integer(), kind: r.integer(), deaths: r.integer(),
                    number: r.integer(), crc: r.integer(), hasCRC: r.integer(UInt32.self) == 1)
                r.reserved(8)
                if one.deaths > 0 { suspects.append(one) }
            }
            if word & applying != 0 {
                let died = Suspect(
                    session: UInt32(truncatingIfNeeded: word),
                    kind: UInt16(truncatingIfNeeded: word >> 32), deaths: 1, number: number)
                let known = suspects.firstIndex {
                    $0.session == died.session && $0.number == died.number && $0.kind == died.kind
                }
                if let known {
                    let (deaths, isOver) = suspects[known].deaths.addingReportingOverflow(1)
                    suspects[known].deaths = isOver ? .max : deaths
                } else {
                    if suspects.count == suspectsMax { suspects.removeFirst() }
                    suspects.append(died)
                }
            }
            return (suspects, line == 0 ? nil : line)
        }
    }

    private func writeSuspects() {
        let room = unsafe UnsafeMutableRawBufferPointer(
            start: page + Self.suspectsOffset, count: Self.suspectsMax * Self.suspectBytes)
        var w = unsafe WireWriter(room)
        for at in 0..<Self.suspectsMax {
            let one =
                at < suspects.count
                ? suspects[at] : Suspect(session: 0, kind: 0, deaths: 0, number: 0)
            w.integer(one.session)
            w.integer(one.kind)
            w.integer(one.deaths)
            w.integer(one.number)
            w.integer(one.crc)
            w.integer(UInt32(one.hasCRC ? 1 : 0))
            w.reserved(8)
        }
    }
}
