// Sets of CPUs, in the two forms the kernel writes them.

import Terms

/// A set of CPU numbers, 0 … 4095.
public struct CPUSet: Hashable, Sendable, CustomStringConvertible {
    /// The largest number that is read.
    public static var numberMax: Int { 4_095 }

    /// The numbers, ascending.
    public private(set) var numbers: [Int]

    /// A set of these; the ones out of range are left out.
    public init(_ numbers: some Sequence<Int>) {
        self.numbers = Set(numbers.filter { 0...Self.numberMax ~= $0 }).sorted()
    }

    /// Reads a list as `0-3,8`; an empty text is the empty set. Nil when it is neither
    /// (cpuset(7), "List format").
    public init?(list: some StringProtocol) {
        var all: [Int] = []
        let text = Self.trimming(list)
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= Self.numberMax + 1 else { return nil }
        for part in parts where !text.isEmpty {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard (1...2).contains(ends.count), let low = Self.number(ends[0]),
                let high = Self.number(ends[ends.count - 1]), low <= high
            else { return nil }
            all += low...high
        }
        self.init(all)
    }

    /// Reads a mask as `00000000,0000000f`, most significant first (cpuset(7), "Mask format").
    public init?(mask: some StringProtocol) {
        let words = Self.trimming(mask).split(separator: ",", omittingEmptySubsequences: false)
        guard !words.isEmpty, words.count <= 128 else { return nil }
        var all: [Int] = []
        for (index, word) in words.reversed().enumerated() {
            guard word.utf8.count <= 8, let bits = UInt32(word, radix: 16) else { return nil }
            all += (0..<32).filter { bits >> $0 & 1 == 1 }.map { index * 32 + $0 }
        }
        self.init(all)
    }

    /// Without the newline that the kernel writes, and spaces.
    private static func trimming(_ text: some StringProtocol) -> Substring {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A }
        let end = text.utf8.reversed().prefix(while: isSpace).count
        return Substring(Substring(text).utf8.dropLast(end).drop(while: isSpace))
    }

    private static func number(_ text: some StringProtocol) -> Int? {
        guard (1...4).contains(text.utf8.count),
            text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let number = Int(text),
            number <= numberMax
        else { return nil }
        return number
    }

    /// Whether it holds no CPU.
    public var isEmpty: Bool { numbers.isEmpty }
    /// Whether it holds this CPU. O(count).
    public func contains(_ cpu: Int) -> Bool { numbers.contains(cpu) }
    /// The CPUs that are in both.
    public func intersection(_ other: CPUSet) -> CPUSet { CPUSet(numbers.filter(other.contains)) }
    /// The CPUs that are here and not there.
    public func subtracting(_ other: CPUSet) -> CPUSet {
        CPUSet(numbers.filter { !other.contains($0) })
    }

    /// As a list, `0-3,8`.
    public var description: String {
        var text = ""
        var index = 0
        while index < numbers.count {
            var end = index
            while end + 1 < numbers.count, numbers[end + 1] == numbers[end] + 1 { end += 1 }
            text += text.isEmpty ? "" : ","
            text += end == index ? "\(numbers[index])" : "\(numbers[index])-\(numbers[end])"
            index = end + 1
        }
        return text
    }

    /// As a mask, words of eight digits, as `/sys/class/net/NIC/queues/rx-0/rps_cpus` takes it.
    public var mask: String {
        var words = [UInt32](repeating: 0, count: (numbers.last ?? 0) / 32 + 1)
        for number in numbers { words[number / 32] |= 1 << (number % 32) }
        return words.reversed().map(\.hexText).joined(separator: ",")
    }
}
