// Addresses of network interfaces that end by themselves: rtnetlink(7).

internal import CLinux

extension Host {
    /// Gives `interface` an address with its prefix length for `seconds`, or renews it; whether it
    /// is new there. Needs CAP_NET_ADMIN. Throws EINVAL for what is no address, ENODEV.
    public static func addAddress(
        _ address: String, prefix: Int, to interface: String, seconds: UInt32
    ) throws(SystemError) -> Bool {
        let result = unsafe bourse_address_add(interface, address, Int32(prefix), seconds)
        return try checked(result, "give \(address)/\(prefix) to", interface) == 1
    }

    /// Takes it from `interface`; whether that had it.
    public static func removeAddress(
        _ address: String, prefix: Int, from interface: String
    ) throws(SystemError) -> Bool {
        let result = unsafe bourse_address_remove(interface, address, Int32(prefix))
        return try checked(result, "take \(address)/\(prefix) from", interface) == 1
    }

    /// Whether an interface of this host has `address`. Throws EINVAL for what is no address.
    public static func hasAddress(_ address: String) throws(SystemError) -> Bool {
        try checked(unsafe bourse_address_exists(address), "look for", address) == 1
    }

    /// Ends the TCP connections that are open here from `address` by resets to their peers, for
    /// about `milliseconds` at most; how many. Needs CAP_NET_ADMIN. Throws EINVAL for what is no
    /// address, EOPNOTSUPP where the kernel has no SOCK_DESTROY.
    public static func endConnections(
        from address: String, milliseconds: UInt32
    ) throws(SystemError) -> Int {
        Int(
            try checked(
                unsafe bourse_connections_end(address, milliseconds), "end connections from",
                address))
    }

    /// Announces to the network of `interface` that it has `address`, so that nobody sends to the
    /// host that had it before: gratuitous ARP, or an unsolicited neighbour advertisement. Needs
    /// CAP_NET_RAW.
    public static func announceAddress(
        _ address: String, on interface: String
    ) throws(SystemError) {
        _ = try checked(
            unsafe bourse_address_announce(interface, address), "announce \(address) on", interface)
    }
}
