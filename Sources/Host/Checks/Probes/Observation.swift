// What was read of a host at one moment. Checks know nothing else of it, so a tree recorded on
// another machine serves as well.

/// Texts by path, and the names in directories.
///
/// Sources are named by absolute paths; `init(time:sources:plan:text:names:)` says what their
/// patterns stand for. Below `/probe` stands what only calls give, one text each. Lines end with a
/// newline; numbers are decimal and whole; a text that cannot be had is absent, never empty.
///
/// - `/probe/units`: `name load active sub pid restarts watchdog-usec`, a line a unit of the
///   exchange and one for `irqbalance.service`; pid 0 where nothing runs
/// - `/probe/exchange`: `key value`, the keys of `boursectl status`: `role epoch released durable
///   applied commands syncs syncP50Nanos syncP99Nanos connections connectionsMax followers
///   ingressFillPerMille logFillPerMille diskFreeBytes diskReserveBytes belowReserve hashMark`
///   (`belowReserve` 0 or 1); on a primary also `standbyLagRecords standbyLagBytes
///   standbyLagNanos`, and `hashesEqual` (0 or 1) where a replica was compared. Absent while
///   matchd does not answer
/// - `/probe/wallet`: `chain NAME SECONDS HEIGHT SCANNED AGE` (seconds a block takes, height of
///   the node, last block scanned, seconds since the node's last block) and `asset NAME BALANCED`
///   (1: what is owed is there). Absent while walletd does not answer
/// - `/probe/statvfs`: `path bytes free-bytes inodes free-inodes`, a line a watched directory;
///   what is free is what others than root may take
/// - `/probe/clock`: adjtimex(2) and two clocks, `key value`: `state status offset_ns maxerror_us
///   esterror_us freq_ppb realtime_ns monotonic_ns`; `state` is what the call returned
/// - `/probe/chrony`: what `chronyc -c tracking` prints
/// - `/probe/ipmi`: what `ipmi-sensors --comma-separated-output --no-header-output
///   --output-sensor-state` prints: `id,name,type,state,reading,units,event`
/// - `/probe/ethtool/NIC/channels`: `rx tx other combined` and each with `_max`, `key value`
/// - `/probe/ethtool/NIC/rings`: `rx rx_max tx tx_max`
/// - `/probe/ethtool/NIC/coalesce`: `adaptive_rx adaptive_tx` (0 or 1), `rx_usecs tx_usecs`
/// - `/probe/ethtool/NIC/features`: the kernel's names of features, each 0 or 1: `rx-lro 0`
/// - `/probe/ethtool/NIC/rss`: `queue entries`: how many entries of the table lead to it
/// - `/probe/ethtool/NIC/stats`: the driver's counters, `name value`
/// - `/probe/ethtool/NIC/timestamping`: `hardware_transmit hardware_receive hardware_raw` (0 or
///   1), `phc` (number of its clock, -1: none)
/// - `/probe/nvme/DISK`: the SMART / health log page, `key value`, by the specification's names:
///   `critical_warning composite_temperature` (kelvin) `available_spare available_spare_threshold
///   percentage_used media_and_data_integrity_errors unsafe_shutdowns power_on_hours`
/// - `/probe/ata/DISK`: `health passed` or `health failed`, then the attributes, a line each:
///   `id name value worst threshold raw`
/// - `{readings}/NAME`: what was read of a device: `time` in nanoseconds of
///   1970, then `name value`, or `error why`
/// - `/probe/hung`: a line a source that took too long; no line where none did
public struct Observation: Hashable, Sendable {
    /// When it was read, in nanoseconds of CLOCK_MONOTONIC.
    public var time: Int64
    private var texts: [String: String] = [:]
    private var lists: [String: [String]] = [:]

    /// An observation without anything in it.
    public init(time: Int64) { self.time = time }

    /// Keeps a file's text.
    public mutating func set(_ path: String, _ text: String) { texts[path] = text }

    /// Keeps the names in a directory, sorted.
    public mutating func set(_ directory: String, names: [String]) {
        lists[directory] = Self.inOrder(names)
    }

    /// A file's text without the newline at its end, or nil: it could not be read.
    public func text(_ path: String) -> String? {
        guard let text = texts[path] else { return nil }
        // Of the bytes: `dropLast()` of a text counts its characters, all of them.
        return text.utf8.last == 0x0A ? String(Substring(text.utf8.dropLast(1))) : text
    }

    /// A file's only number, or nil.
    public func number(_ path: String) -> Int64? {
        text(path).flatMap { Int64($0.trimming) }
    }

    /// A file's lines without empty ones; none when it could not be read.
    public func lines(_ path: String) -> [Substring] {
        texts[path]?.lines ?? []
    }

    /// The names in a directory, numbers in their order; nil when it could not be read.
    public func names(_ directory: String) -> [String]? { lists[directory] }

    /// The names in a directory that begin so; none when it could not be read.
    func names(_ directory: String, beginning start: String) -> [String] {
        lists[directory]?.filter { $0.hasPrefix(start) } ?? []
    }

    /// Every path with its text, sorted: what a support bundle takes along.
    public var all: [(path: String, text: String)] {
        texts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// `eth2` before `eth10`. By bytes, and each name taken apart once: there may be thousands.
    private static func inOrder(_ names: [String]) -> [String] {
        let keyed = names.map { name -> (start: Substring, number: Int, name: String) in
            let digits = name.utf8.reversed().prefix { 0x30...0x39 ~= $0 }.count
            let number = Int(Substring(name.utf8.suffix(digits))) ?? -1
            return (Substring(name.utf8.dropLast(digits)), number, name)
        }
        return keyed.sorted { ($0.start, $0.number) < ($1.start, $1.number) }.map(\.name)
    }
}
