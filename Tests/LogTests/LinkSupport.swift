// What the Link's tests share: how long they wait, and random input that is seeded, so that a
// failure says how to have it again.

import Glibc
import Link
import Platform
import Slabs
import Terms
import Wire

/// How long a test waits for what is due, ns: a disk that stalls for seconds is no failure.
let patience: Int64 = 60_000_000_000

/// Waits until something is true; whether it became so in time.
func becomes(_ isTrue: () throws -> Bool) rethrows -> Bool {
    let deadline = Clock.monotonicNanos() + patience
    while true {
        if try isTrue() { return true }
        guard Clock.monotonicNanos() < deadline else { return false }
        Clock.sleep(nanos: 2_000_000)
    }
}

/// In tests these wait longer than a tool does.
extension LinkClient {
    func status() throws(LinkError) -> LinkStatus { try status(timeoutNanos: patience) }

    func session(of name: Text40) throws(LinkError) -> LinkSession {
        try session(of: name, timeoutNanos: patience)
    }

    func openSession(_ name: Text40) throws(LinkError) -> LinkAck {
        try openSession(name, timeoutNanos: patience)
    }

    func execute(
        _ payload: some CommandPayload, session: SessionID, number: UInt64
    ) throws(LinkError) -> LinkAck {
        try execute(payload, session: session, number: number, timeoutNanos: patience)
    }
}

/// Numbers from a seed that the environment may give.
struct LinkFuzz {
    let seed: UInt64
    private var random: SplitMix64

    /// How many rounds: few in the tests, many with `make fuzz`.
    static var iterations: Int {
        environment("BOURSE_FUZZ_ITERATIONS").flatMap { Int($0) } ?? 5_000
    }

    init() {
        seed = Self.environment("BOURSE_SEED").flatMap { UInt64($0) } ?? 20_240_607
        random = SplitMix64(seed: seed)
    }

    static func environment(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    /// How to have this run again.
    var replay: String { "BOURSE_SEED=\(seed) swift test --filter LogTests" }

    mutating func next() -> UInt64 { random.next() }

    /// A number from 0 to `bound` - 1.
    mutating func below(_ bound: Int) -> Int { random.below(bound) }
}
