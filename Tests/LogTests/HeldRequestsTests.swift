// Goal: a session whose first command waits keeps its order, and keeps up nobody else.

import Pipeline
import Testing

/// Its length, its connection, its session, its number.
private func request(
    _ session: UInt32, _ number: UInt8, of caller: UInt8 = 10, bytes: UInt32 = 16
) -> [UInt8] {
    var all = [UInt8](repeating: 0, count: Int(bytes))
    for index in 0..<4 { all[index] = UInt8(truncatingIfNeeded: bytes >> (8 * UInt32(index))) }
    (all[4], all[8], all[9]) = (caller, UInt8(session), number)
    return all
}

@Suite struct HeldRequestsTests {
    @Test func `each session proceeds in order when it may, and waits alone when it may not`() {
        var held = HeldRequests()
        for number in 1...4 {
            for session in [UInt32(1), 2, 3] {
                let caller: UInt8 = session == 3 ? 20 : 10
                let bytes = request(session, UInt8(number), of: caller)
                unsafe bytes.withUnsafeBytes {
                    _ = unsafe held.append(session, UInt32(caller), $0)
                }
            }
        }
        #expect(held.bytes == 12 * 16)
        var taken: [[UInt8]] = []
        // Session 1 may go on until its third command, session 2 not at all, session 3 wholly.
        var freed = unsafe held.retry(most: 100) { bytes in
            let (session, number) = unsafe (bytes[8], bytes[9])
            guard session == 3 || session == 1 && number < 3 else { return false }
            taken.append([session, number])
            return true
        }
        #expect(taken == [[1, 1], [1, 2], [3, 1], [3, 2], [3, 3], [3, 4]])
        #expect(freed == [10, 20] && held.bytes == 6 * 16)
        #expect(held.isHolding(1) && held.isHolding(2) && !held.isHolding(3))
        taken = []
        freed = unsafe held.retry(most: 3) { bytes in
            unsafe taken.append([bytes[8], bytes[9]])
            return true
        }
        #expect(taken == [[1, 3], [1, 4], [2, 1]])
        #expect(freed == [10] && !held.isHolding(1))
        freed = unsafe held.retry(most: 100) { _ in true }
        #expect(freed == [10] && held.isEmpty && held.bytes == 0)
    }

    @Test func `a session that proceeds and gets more meanwhile keeps its order and its count`() {
        var held = HeldRequests()
        var (appended, taken) = (UInt8(0), UInt8(0))
        for _ in 0..<50 {
            for _ in 0..<4 {
                unsafe request(1, appended).withUnsafeBytes { _ = unsafe held.append(1, 10, $0) }
                appended += 1
            }
            _ = unsafe held.retry(most: 3) { bytes in
                #expect(unsafe bytes[9] == taken)
                taken += 1
                return true
            }
            #expect(held.bytes == Int(appended - taken) * 16)
        }
        let freed = unsafe held.retry(most: 100) { bytes in
            #expect(unsafe bytes[9] == taken)
            taken += 1
            return true
        }
        #expect(freed == [10] && taken == 200 && held.isEmpty && held.bytes == 0)
    }

    @Test func `a connection is read on when half of what may be held of it is gone`() {
        var held = HeldRequests()
        let one = HeldRequests.callerBytesMax / 8
        for count in 1...8 {
            let bytes = request(UInt32(count % 2), 0, bytes: UInt32(one))
            let all = unsafe bytes.withUnsafeBytes {
                unsafe held.append(UInt32(count % 2), 10, $0)
            }
            #expect(all == count * one)
        }
        for left in (0..<8).reversed() {
            let freed = unsafe held.retry(most: 1) { _ in true }
            #expect(freed == (left > 4 ? [] : [10]), "\(left)")
        }
        #expect(held.isEmpty && held.bytes == 0)
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
