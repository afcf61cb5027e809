// Goal: limits count for whom a proxy of the owner's was called by, and never for whom a client
// says that it is.

import Gateway
import Platform
import Testing

@Suite struct ClientAddressTests {
    private let proxies = ["10.0.0.5", "10.1.0.0/16", "fd00::/64"].compactMap { AddressRange($0) }

    @Test(arguments: [
        // Not through a proxy: the header is the client's own word.
        ("1.2.3.4", ["9.9.9.9"], "1.2.3.4"), ("10.0.0.6", ["9.9.9.9"], "10.0.0.6"),
        // Through one, and through two.
        ("10.0.0.5", ["9.9.9.9"], "9.9.9.9"), ("10.0.0.5", ["9.9.9.9, 10.1.2.3"], "9.9.9.9"),
        ("::ffff:10.0.0.5", ["9.9.9.9"], "9.9.9.9"), ("fd00::9", ["9.9.9.9"], "9.9.9.9"),
        // What the client wrote stands in front, in one header or another.
        ("10.0.0.5", ["8.8.8.8, 9.9.9.9"], "9.9.9.9"),
        ("10.0.0.5", ["8.8.8.8", "9.9.9.9"], "9.9.9.9"),
        ("10.0.0.5", ["10.1.0.1, 9.9.9.9, 10.1.0.1"], "9.9.9.9"),
        // Forms, spaces and ports.
        ("10.0.0.5", ["\t9.9.9.9:5678 "], "9.9.9.9"),
        ("10.0.0.5", ["[2001:db8::1]:443"], "2001:db8:0:0::/64"),
        ("10.0.0.5", ["2001:db8::1"], "2001:db8:0:0::/64"),
        // No address: whoever wrote that is counted itself.
        ("10.0.0.5", ["unknown"], "10.0.0.5"), ("10.0.0.5", ["9.9.9.9, x, 10.1.0.1"], "10.1.0.1"),
        ("10.0.0.5", ["9.9.9.9,"], "10.0.0.5"), ("10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.5", [""], "10.0.0.5"), ("10.0.0.5", ["]["], "10.0.0.5"),
        ("unix", ["9.9.9.9"], "unix"),
    ])
    func `the last that is no proxy is the client`(
        _ peer: String, _ forwarded: [String], _ client: String
    ) {
        #expect(ClientAddress.holder(peer, forwarded: forwarded, proxies: proxies) == client)
        let direct = ClientAddress.holder(peer, forwarded: forwarded, proxies: [])
        #expect(direct == IPAddress(peer)?.holder ?? peer)
    }

    @Test func `a header of any length is read from its end, and not for long`() {
        let many = Array(repeating: "10.1.0.1", count: 100_000).joined(separator: ",")
        #expect(
            ClientAddress.holder("10.0.0.5", forwarded: ["9.9.9.9," + many], proxies: proxies)
                == "10.1.0.1")
    }
}
