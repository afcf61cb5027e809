// Goal: an address is in a range exactly where its first bits are, whatever form it has.

import Platform
import Testing

@Suite struct AddressRangeTests {
    private func contains(_ range: String, _ address: String) -> Bool? {
        guard let range = AddressRange(range), let address = IPAddress(address) else { return nil }
        return range.contains(address)
    }

    @Test(arguments: [
        ("10.0.0.1", "10.0.0.1", true), ("10.0.0.1", "10.0.0.2", false),
        ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("10.1.2.0/23", "10.1.3.255", true), ("10.1.2.0/23", "10.1.4.0", false),
        ("0.0.0.0/0", "255.1.1.1", true), ("0.0.0.0/0", "::1", false),
        ("10.0.0.0/8", "::ffff:10.0.0.9", true), ("::ffff:10.0.0.0/8", "10.0.0.9", true),
        ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe00::", false), ("::/0", "fe80::1", true),
        ("::/0", "1.2.3.4", false), ("2001:db8::/33", "2001:db8:7fff::", true),
        ("2001:db8::/33", "2001:db8:8000::", false),
    ])
    func `the first bits count`(_ range: String, _ address: String, _ isIn: Bool) {
        #expect(contains(range, address) == isIn)
    }

    @Test(arguments: [
        "", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "10.0.0/8", "a", "10.0.0.0/-1", "::/129",
        "10.0.0.0/8/8", "1.2.3.4/9999999999999999999999", "fe80::1%eth0", "[::1]", "10.0.0.0/ 8",
        "::ffff:10.0.0.0/104",
    ])
    func `what is no range is refused`(_ text: String) { #expect(AddressRange(text) == nil) }

    @Test func `a range agrees with its bits one by one`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let bits = Int.random(in: 0...32, using: &random)
            let mask = bits == 0 ? 0 : UInt32.max << UInt32(32 - bits)
            let (one, other) = (UInt32.random(in: 0 ... .max), UInt32.random(in: 0 ... .max))
            func text(_ word: UInt32) -> String {
                (0..<4).map { String(word >> (24 - 8 * $0) & 255) }.joined(separator: ".")
            }
            // Near it as often as far away.
            let near = Bool.random() ? one & mask | other & ~mask : other
            #expect(
                contains("\(text(one & mask))/\(bits)", text(near)) == (one & mask == near & mask))
        }
    }

    @Test(arguments: [
        ("1.2.3.4", "1.2.3.4"), ("::ffff:1.2.3.4", "1.2.3.4"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("::1", "0:0:0:0::/64"),
    ])
    func `a holder is an address, or the network of an IPv6 one`(_ text: String, _ holder: String) {
        #expect(IPAddress(text)?.holder == holder)
    }
}
