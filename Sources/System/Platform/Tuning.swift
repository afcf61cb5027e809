// Affinities of other threads, and queues of network interfaces.

internal import CLinux

extension Host {
    /// Words of a processor set: 4,096 processors, the kernel's maximum.
    private static var words: Int { 64 }

    /// The processors that a thread of this host may run on (sched_getaffinity(2)).
    public static func affinity(thread: Int32) throws(SystemError) -> [Int] {
        var set = [UInt64](repeating: 0, count: words)
        let result = unsafe bourse_affinity_get(thread, &set, set.count)
        _ = try checked(result, "ask for the processors of", "thread \(thread)")
        return (0..<set.count * 64).filter { set[$0 / 64] >> ($0 % 64) & 1 == 1 }
    }

    /// Sets them (sched_setaffinity(2)); the kernel ignores missing ones.
    public static func setAffinity(thread: Int32, _ processors: [Int]) throws(SystemError) {
        var set = [UInt64](repeating: 0, count: words)
        for processor in processors where processor < set.count * 64 {
            set[processor / 64] |= 1 << (processor % 64)
        }
        let result = unsafe bourse_affinity_set(thread, set, set.count)
        _ = try checked(result, "move", "thread \(thread)")
    }
}

extension Host {
    /// Broadcasts that an IPv4 address, four bytes, is at an Ethernet interface of this host: a
    /// gratuitous ARP request (RFC 826).
    public static func announce(_ address: [UInt8], on interface: String) throws(SystemError) {
        precondition(address.count == 4, "an IPv4 address")
        _ = try checked(unsafe bourse_announce(interface, address), "announce", interface)
    }
}

/// A network interface's queues and maxima: ETHTOOL_GCHANNELS (linux/ethtool.h).
public struct EthernetChannels: Hashable, Sendable {
    private var values: [UInt32]

    /// Those of the interface of this name. Throws if there is none, or EOPNOTSUPP if its driver
    /// does not report them.
    public init(interface: String) throws(SystemError) {
        values = [UInt32](repeating: 0, count: 8)
        let result = unsafe bourse_channels_get(interface, &values)
        _ = try checked(result, "ask for the queues of", interface)
    }

    /// Maximum receive queues.
    public var rxMax: Int { Int(values[0]) }
    /// Maximum transmit queues.
    public var txMax: Int { Int(values[1]) }
    /// Maximum combined queues.
    public var combinedMax: Int { Int(values[3]) }
    /// Receive queues now.
    public var rx: Int {
        get { Int(values[4]) }
        set { values[4] = UInt32(clamping: newValue) }
    }
    /// Transmit queues now.
    public var tx: Int {
        get { Int(values[5]) }
        set { values[5] = UInt32(clamping: newValue) }
    }
    /// Combined queues now.
    public var combined: Int {
        get { Int(values[7]) }
        set { values[7] = UInt32(clamping: newValue) }
    }

    /// Sets the queues.
    public func set(interface: String) throws(SystemError) {
        let result = unsafe bourse_channels_set(interface, values)
        _ = try checked(result, "set the queues of", interface)
    }
}
