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
        #expect(held.bytes == 12 * 16)
        var taken: [[UInt8]] = []
        // Session 1 may go on until its third command, session 2 not at all, session 3 wholly.
        var freed = unsafe held.retry(most: 100) { bytes in
            let (session, number) = unsafe (bytes[4], bytes[5])
            guard session == 3 || session == 1 && number < 3 else { return false }
            taken.append([session, number])
            return true
        }
        #expect(taken == [[1, 1], [1, 2], [3, 1], [3, 2], [3, 3], [3, 4]])
        #expect(freed == [20] && held.bytes == 6 * 16)
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
        #expect(freed == [10] && held.isEmpty && held.bytes == 0)
    }

    @Test func `a session that goes on and gets more meanwhile keeps its order and its count`() {
        var held = HeldRequests()
        var (appended, taken) = (UInt8(0), UInt8(0))
        for _ in 0..<50 {
            for _ in 0..<4 {
                unsafe request(1, appended).withUnsafeBytes { unsafe held.append(1, 10, $0) }
                appended += 1
            }
            _ = unsafe held.retry(most: 3) { bytes in
                #expect(unsafe bytes[5] == taken)
                taken += 1
                return true
            }
            #expect(held.bytes == Int(appended - taken) * 16)
        }
        let freed = unsafe held.retry(most: 100) { bytes in
            #expect(unsafe bytes[5] == taken)
            taken += 1
            return true
        }
        #expect(freed == [10] && taken == 200 && held.isEmpty && held.bytes == 0)
    }

    @Test func `what is held of a connection is not of who gets its slot next`() {
        let flag = HeldFlag()
        let (old, new): (UInt32, UInt32) = (0x0001_0003, 0x0002_0003)
        flag.hold(old)
        #expect(flag.isHolding(old) && !flag.isHolding(new))
        flag.hold(new)
        // What the old one left is over; the new one still waits.
        flag.free(old)
        #expect(flag.isHolding(new) && !flag.isHolding(old))
        flag.free(new)
        #expect(!flag.isHolding(new))
    }
}
