// Keccak-256 as Ethereum has it: the padding from before FIPS 202, which no library here offers.

/// The hash of Ethereum's addresses and transactions.
public enum Keccak256 {
    private static let rate = 136
    private static let rounds: [UInt64] = [
        0x0000_0000_0000_0001, 0x0000_0000_0000_8082, 0x8000_0000_0000_808A,
        0x8000_0000_8000_8000, 0x0000_0000_0000_808B, 0x0000_0000_8000_0001,
        0x8000_0000_8000_8081, 0x8000_0000_0000_8009, 0x0000_0000_0000_008A,
        0x0000_0000_0000_0088, 0x0000_0000_8000_8009, 0x0000_0000_8000_000A,
        0x0000_0000_8000_808B, 0x8000_0000_0000_008B, 0x8000_0000_0000_8089,
        0x8000_0000_0000_8003, 0x8000_0000_0000_8002, 0x8000_0000_0000_0080,
        0x0000_0000_0000_800A, 0x8000_0000_8000_000A, 0x8000_0000_8000_8081,
        0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
    ]
    /// The step ρ's rotations and π's places, in the order of one walk through the lanes.
    private static let rotations = [
        1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44,
    ]
    private static let places = [
        10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1,
    ]

    /// The hash, 32 bytes.
    public static func digest(_ bytes: [UInt8]) -> [UInt8] {
        var padded = bytes + [1]
        padded += [UInt8](repeating: 0, count: (rate - padded.count % rate) % rate)
        padded[padded.count - 1] |= 0x80
        var state = [UInt64](repeating: 0, count: 25)
        for start in stride(from: 0, to: padded.count, by: rate) {
            for lane in 0..<rate / 8 {
                for byte in 0..<8 {
                    let value = UInt64(padded[start + 8 * lane + byte])
                    state[lane] ^= value << UInt64(8 * byte)
                }
            }
            permute(&state)
        }
        return (0..<32).map { index -> UInt8 in
            let lane = state[index / 8]
            return UInt8(truncatingIfNeeded: lane >> UInt64(8 * (index % 8)))
        }
    }

    private static func permute(_ state: inout [UInt64]) {
        for constant in rounds {
            var columns = Array(state[0..<5])
            for lane in 5..<25 { columns[lane % 5] ^= state[lane] }
            for x in 0..<5 {
                let mixed = columns[(x + 4) % 5] ^ rotated(columns[(x + 1) % 5], 1)
                for y in stride(from: 0, to: 25, by: 5) { state[x + y] ^= mixed }
            }
            var moved = state[1]
            for (place, rotation) in zip(places, rotations) {
                (moved, state[place]) = (state[place], rotated(moved, rotation))
            }
            for y in stride(from: 0, to: 25, by: 5) {
                let row = Array(state[y..<y + 5])
                for x in 0..<5 {
                    let kept = ~row[(x + 1) % 5] & row[(x + 2) % 5]
                    state[y + x] = row[x] ^ kept
                }
            }
            state[0] ^= constant
        }
    }

    private static func rotated(_ word: UInt64, _ bits: Int) -> UInt64 {
        word << bits | word >> (64 - bits)
    }
}
