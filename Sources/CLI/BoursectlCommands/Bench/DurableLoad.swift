// A process that loads a matchd over the Link; `bench durable` starts several.

import Glibc
import Link
import Platform
import Synchronization
import Terms
import Wire

/// Places orders and cancels them, one account per process, and measures the time until each is
/// acknowledged, which is when it is durable.
struct DurableLoad {
    let socket: String
    /// The file with the samples of where commands spend their time; empty: none.
    let trace: String
    /// Which process this is: its account is `index + 1`, its session `bench/index`.
    let index: Int
    let seconds: Int
    /// Commands per second; 0: full load.
    let rate: Int
    /// Maximum unacknowledged commands at full load.
    let window: Int

    /// Orders that stay open while one is cancelled.
    static var openOrders: UInt64 { 256 }

    /// Loads for `seconds`; prints its measurements for the parent.
    func run() throws(LinkError) {
        guard let name = Text40("bench/\(index)") else { preconditionFailure("a short name") }
        let client = try LinkClient.connect(unix: socket, name: name)
        let opened = try client.openSession(name)
        guard opened.refusal == .none else {
            throw .refused(LinkRefusal(.limit, "no session: \(opened.refusal)"))
        }
        let session = SessionID(UInt32(truncatingIfNeeded: opened.id))
        let result = try rate == 0 ? fullLoad(client, session) : paced(client, session)
        print(result.text)
    }

    /// Command `number`: odd ones place, even ones cancel an order placed a while before.
    static func command(
        _ number: UInt64, _ index: Int, _ session: SessionID, _ out: inout LinkEncoder
    ) {
        let account = AccountID(UInt32(index + 1))
        let step = (number + 1) / 2
        if number % 2 == 1 || step <= openOrders {
            let isBuy = step % 2 == 0
            let distance = Int64(1 + step * 7919 % 64)
            out.submit(
                session: session, number: number,
                Place(
                    account: account, instrument: InstrumentID(1), side: isBuy ? .buy : .sell,
                    type: .limit,
                    price: Price(ticks: isBuy ? 50_000 - distance : 50_000 + distance),
                    quantity: Quantity(lots: 10), clOrdID: clOrdID(number, session)))
        } else {
            out.submit(
                session: session, number: number,
                Cancel(
                    account: account, instrument: InstrumentID(1),
                    clOrdID: clOrdID(number - 2 * openOrders + 1, session)))
        }
    }

    /// Session and number as 24 hexadecimal digits.
    static func clOrdID(_ number: UInt64, _ session: SessionID) -> Text40 {
        var text = Text40()
        (text.w0, text.w1) = (digits(UInt64(session.number)), digits(number >> 32))
        text.w2 = digits(number & 0xFFFF_FFFF)
        return text
    }

    /// The 8 hexadecimal digits of 32 bits as bytes, the first lowest.
    static func digits(_ value: UInt64) -> UInt64 {
        var spread: UInt64 = 0
        for place in 0..<8 {
            let digit = value >> UInt64(28 - 4 * place) & 0xF
            spread |= (digit < 10 ? 0x30 + digit : 0x57 + digit) << UInt64(8 * place)
        }
        return spread
    }

    // MARK: Full load

    func fullLoad(_ client: LinkClient, _ session: SessionID) throws(LinkError) -> DurableResult {
        var result = DurableResult()
        var out = LinkEncoder()
        var (sent, acked): (UInt64, UInt64) = (0, 0)
        let began = Clock.monotonicNanos()
        let end = began + Int64(seconds) * 1_000_000_000
        while true {
            let isOver = Clock.monotonicNanos() >= end
            if !isOver, sent - acked + 512 <= UInt64(window) {
                for _ in 0..<512 {
                    sent += 1
                    Self.command(sent, index, session, &out)
                }
                try client.send(&out)
            }
            if isOver, sent == acked { break }
            let canSend = !isOver && sent - acked + 512 <= UInt64(window)
            var wait: Int64 = canSend ? 0 : 10_000_000_000
            while let frame = try client.receive(timeoutNanos: wait) {
                if case .acks(let acks) = frame {
                    acked += UInt64(acks.count)
                    result.count(acks)
                }
                wait = 0
            }
            if wait > 0 { throw .timedOut }
        }
        result.nanos = Clock.monotonicNanos() - began
        return result
    }

    // MARK: At a rate

    func paced(_ client: LinkClient, _ session: SessionID) throws(LinkError) -> DurableResult {
        let times = CommandTimes()
        let receiver = Receiver(client.descriptor, times)
        let thread: PinnedThread
        do throws(SystemError) {
            thread = try PinnedThread.start(name: "acks") { receiver.run() }
        } catch { throw .system(error) }
        // The default slack would add 50 us to each sleep, which would look like latency.
        try? File("/proc/self/timerslack_ns", .write).set(Array("1".utf8))
        var pace = Pace(rate: rate)
        var out = LinkEncoder()
        var sent: UInt64 = 0
        let began = Clock.monotonicNanos()
        /// When a command is due: a delay of the sender counts as latency.
        func time(_ number: UInt64) -> Int64 {
            began + Int64(number - 1) * 1_000_000_000 / Int64(rate)
        }
        let total = UInt64(seconds * rate)
        while sent < total {
            let now = Clock.monotonicNanos()
            while sent < total, time(sent + 1) <= now {
                sent += 1
                Self.command(sent, index, session, &out)
                times.note(sent, due: time(sent), sent: now)
            }
            while !out.isEmpty {
                unsafe out.drain {
                    let sent = unsafe Glibc.send(client.descriptor, $0.baseAddress, $0.count, 0)
                    if sent < 0, errno == EAGAIN {
                        var entry = pollfd(
                            fd: client.descriptor, events: Int16(POLLOUT), revents: 0)
                        _ = unsafe poll(&entry, 1, 100)
                    }
                    return max(0, sent)
                }
            }
            pace.wait(until: time(sent + 1))
        }
        receiver.last.store(total, ordering: .releasing)
        thread.join()
        var result = receiver.result
        result.nanos = Clock.monotonicNanos() - began
        guard result.acked == total else { throw .timedOut }
        if !trace.isEmpty { try record(times, session, total, since: began, &result.stages) }
        return result
    }

    /// Records the stages of the commands that matchd sampled since `began`.
    private func record(
        _ times: CommandTimes, _ session: SessionID, _ total: UInt64, since began: Int64,
        _ stages: inout DurableStages
    ) throws(LinkError) {
        do throws(SystemError) {
            for sample in try LatencyTrace.read(trace) where sample.session == session.number {
                guard total - min(total, sample.number) < CommandTimes.size else { continue }
                let passed = times.times(sample.number)
                // The file also holds samples of earlier runs.
                guard passed.due > 0, sample[.received] >= began else { continue }
                stages.record(sample, passed)
            }
        } catch { throw .system(error) }
    }

    /// Waits for points in time that are near.
    struct Pace {
        /// How late sleeps end on this machine, ns.
        private var late: Int64 = 0

        /// Maximum wait without sleeping, ns.
        private let lateMax: Int64

        /// Waits `rate` times per second, asleep for at least half of the time.
        init(rate: Int) { lateMax = min(60_000, 500_000_000 / Int64(rate)) }

        /// Sleeps a little less than needed, then polls the clock: how late this machine wakes a
        /// thread is not the latency to measure.
        mutating func wait(until time: Int64) {
            var now = Clock.monotonicNanos()
            let wake = time - late
            if now < wake {
                Clock.sleep(nanos: wake - now)
                now = Clock.monotonicNanos()
                late += (min(now - wake, lateMax) - late) / 64
            }
            while now < time {
                Clock.relax()
                now = Clock.monotonicNanos()
            }
        }
    }

    /// When a command was due, when it was sent, and when its acknowledgement was read.
    typealias Passed = (due: Int64, sent: Int64, read: Int64)

    /// These times of the latest commands, for at least as many as can be unacknowledged.
    @safe final class CommandTimes: @unchecked Sendable {
        // Unchecked: a slot is written before its command is sent and read after its answer came.
        static var size: UInt64 { 1 << 18 }
        private let slots: UnsafeMutablePointer<Passed>

        init() {
            unsafe slots = .allocate(capacity: Int(Self.size))
            unsafe slots.initialize(repeating: (0, 0, 0), count: Int(Self.size))
        }

        deinit { unsafe slots.deallocate() }

        private func slot(_ number: UInt64) -> Int { Int(number & (Self.size - 1)) }

        func note(_ number: UInt64, due: Int64, sent: Int64) {
            unsafe slots[slot(number)] = (due, sent, 0)
        }

        /// Notes that the acknowledgement was read; returns the latency.
        func note(_ number: UInt64, read: Int64) -> Int64 {
            unsafe slots[slot(number)].read = read
            return unsafe read - slots[slot(number)].due
        }

        func times(_ number: UInt64) -> Passed { unsafe slots[slot(number)] }
    }

    /// Receives the acknowledgements.
    final class Receiver: @unchecked Sendable {
        // Unchecked: `result` is read after the thread has ended.
        let descriptor: Int32
        let times: CommandTimes
        let last = Atomic<UInt64>(.max)
        var result = DurableResult()

        init(_ descriptor: Int32, _ times: CommandTimes) {
            (self.descriptor, self.times) = (descriptor, times)
        }

        func run() {
            var decoder = LinkDecoder()
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 8)
            defer { unsafe buffer.deallocate() }
            var idle = 0
            while result.acked < last.load(ordering: .acquiring), idle < 10 {
                var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard unsafe poll(&entry, 1, 1000) > 0 else {
                    idle += 1
                    continue
                }
                idle = 0
                let got = unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
                if got == 0 { return }
                guard got > 0 else { continue }
                let now = Clock.monotonicNanos()
                unsafe decoder.receive(UnsafeRawBufferPointer(rebasing: buffer[0..<got]))
                while let frame = try? decoder.next() {
                    guard case .acks(let acks) = frame else { continue }
                    result.count(acks)
                    for ack in acks { result.latency.record(times.note(ack.number, read: now)) }
                }
            }
        }
    }
}
