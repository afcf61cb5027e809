// A file of order events, as `bench replay` reads it.

import ArgumentParser
import Engine
import Glibc
import Terms

/// A file of replay events, read into memory.
@safe final class ReplayFile {
    private let base: UnsafeMutablePointer<ReplayEvent>
    let count: Int
    /// The highest symbol, and the number of different accounts.
    private(set) var symbols = 0
    private(set) var accounts = 0
    /// Upper bound of the orders open at once: new ones less cancels.
    private(set) var openOrders = 0
    private var quantityMax: Int64 = 0

    /// Reads a whole file and checks each record.
    init(_ path: String) throws {
        let fd = unsafe open(path, O_RDONLY)
        guard fd >= 0 else {
            throw ValidationError("cannot open \(path): \(unsafe String(cString: strerror(errno)))")
        }
        defer { close(fd) }
        var info = stat()
        let size = unsafe fstat(fd, &info) == 0 ? Int(info.st_size) : 0
        count = size / 40
        unsafe base = .allocate(capacity: max(1, count))
        guard size > 0, size % 40 == 0 else {
            throw ValidationError(
                "\(path) is not a replay file: its size must be a multiple of 40 bytes, not empty")
        }
        var done = 0
        let total = count * 40
        while done < total {
            let n = unsafe read(fd, UnsafeMutableRawPointer(base) + done, total - done)
            guard n > 0 else { throw ValidationError("\(path) could not be read completely") }
            done += n
        }
        try prepare(path)
    }

    deinit { unsafe base.deallocate() }

    var events: UnsafeBufferPointer<ReplayEvent> {
        unsafe UnsafeBufferPointer(start: base, count: count)
    }

    /// Checks the records and numbers the accounts without gaps, so that they fit a table.
    private func prepare(_ path: String) throws {
        var numbers: [UInt32: UInt32] = [:]
        var open = 0
        for i in 0..<count {
            let event = unsafe base[i]
            guard let kind = ReplayEvent.Kind(rawValue: event.kind), event.side <= 1,
                event.symbol >= 1, event.symbol < 65_000, event.orderID >= 1
            else {
                throw ValidationError(
                    "\(path): record \(i) has an unknown kind, side, symbol or order id 0")
            }
            let needsPrice = kind == .limit || kind == .immediateOrCancel || kind == .replace
            if needsPrice ? event.price < 1 || event.price > 1 << 48 : false {
                throw ValidationError("\(path): record \(i) has a price outside 1 … 2^48 ticks")
            }
            let needsQuantity = kind != .cancel && kind != .replace
            if needsQuantity {
                guard event.quantity >= 1 else {
                    throw ValidationError("\(path): record \(i) has no quantity")
                }
                quantityMax = max(quantityMax, event.quantity)
            }
            symbols = max(symbols, Int(event.symbol))
            let number = numbers[event.account] ?? UInt32(numbers.count + 1)
            numbers[event.account] = number
            unsafe base[i].account = number
            // Fills only reduce it.
            open += kind == .limit ? 1 : kind == .cancel ? -1 : 0
            openOrders = max(openOrders, open)
        }
        accounts = numbers.count
        guard openOrders < (1 << 24) - 64 else {
            throw ValidationError("\(path) may hold more than 16 million open orders")
        }
        let most = Engine.replayQuantityMax(openOrders: openOrders + 1).lots
        guard quantityMax <= most else {
            throw ValidationError("\(path) has a quantity above \(most) lots")
        }
    }
}
