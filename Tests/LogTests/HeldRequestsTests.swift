// Goal: a session whose first command waits keeps its order, and keeps up nobody else.

import Pipeline
import Testing

private func request(_ session: UInt32, _ number: UInt8) -> [UInt8] {
    [16, 0, 0, 0, UInt8(session), number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

@Suite struct HeldRequestsTests {
    @Test func `each session goes on in order when it may, and waits alone when it may not`() {
        var held = HeldRequests()
        for number in 1...4 {
            for session in [UInt32(1), 2, 3] {
                let bytes = request(session, UInt8(number))
                unsafe bytes.withUnsafeBytes {
                    unsafe held.append(session, session == 3 ? 20 : 10, $0)
                }
            }
        }
        var taken: [[UInt8]] = []
        // Session 1 may go on until its third command, session 2 not at all, session 3 wholly.
        var freed = unsafe held.retry(most: 100) { bytes in
            let (session, number) = unsafe (bytes[4], bytes[5])
            guard session == 3 || session == 1 && number < 3 else { return false }
            taken.append([session, number])
            return true
        }
        #expect(taken == [[1, 1], [1, 2], [3, 1], [3, 2], [3, 3], [3, 4]])
        #expect(freed == [20])
        #expect(held.isHolding(1) && held.isHolding(2) && !held.isHolding(3))
        taken = []
        freed = unsafe held.retry(most: 3) { bytes in
            unsafe taken.append([bytes[4], bytes[5]])
            return true
        }
        #expect(taken == [[1, 3], [1, 4], [2, 1]])
        // Connection 10 has more in session 2.
        #expect(freed.isEmpty && !held.isHolding(1))
        freed = unsafe held.retry(most: 100) { _ in true }
        #expect(freed == [10] && held.isEmpty)
    }
}
