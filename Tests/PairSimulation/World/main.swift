// Runs seeds, each in a process of its own, and sums up what they print.

import CMachine
import Failover
import Glibc
import Platform

machine_make_repeatable(CommandLine.unsafeArgv)
setvbuf(stdout, nil, _IOLBF, 0)

/// One seed, to its end; in a process of its own. Prints a line.
func runSeed(_ seed: UInt64, isTraced: Bool) -> Never {
    // What loops without ever waiting.
    var limit = rlimit(rlim_cur: 20, rlim_max: 20)
    setrlimit(__rlimit_resource_t(RLIMIT_CPU.rawValue), &limit)
    let root = seedRoot(seed)
    do { try Directory.create(root) } catch {
        print("|no place for the disks: \(error)")
        fflush(stdout)
        _exit(1)
    }
    machine_begin(seed, root)
    world = World(seed: seed, root: root)
    world.isTraced = isTraced
    machine_spawn(4, 2, { _ in world.run() }, nil)
    let began = machine_now()
    let result = machine_run(3_000_000)
    machine_leave()
    if result == 1 { world.judge.accuse("all wait for ever") }
    if result == 2 { world.judge.accuse("it never rests") }
    if result != 0, isTraced { machine_print() }
    world.judge.compare((0..<2).map(world.places))
    world.faults[FaultKind.tornWrite.rawValue] += Int(machine_lost_writes())
    let numbers =
        [
            Int(machine_now() - began), Int(machine_switches()), world.judge.acknowledgedCount,
        ] + world.faults + world.transitions
    print(
        numbers.map(String.init).joined(separator: " "), world.judge.violation ?? "", separator: "|"
    )
    fflush(stdout)
    _exit(world.judge.violation == nil ? 0 : 1)
}

func seedRoot(_ seed: UInt64) -> String { "\(runRoot)/\(seed)" }

func removeAll(_ path: String) {
    for name in (try? Directory.names(in: path)) ?? [] { removeAll(path + "/" + name) }
    if Directory.isDirectory(path) { rmdir(path) } else { unlink(path) }
}

/// What the arguments ask for.
struct Arguments {
    var first = 1
    var count = 1
    var jobs = 2
    var failuresMax = 10
    var isTraced = false

    init() {
        var rest = CommandLine.arguments.dropFirst()
        func number() -> Int {
            guard let text = rest.popFirst(), let value = Int(text), value > 0 else { Self.usage() }
            return value
        }
        while let word = rest.popFirst() {
            switch word {
            case "--first": first = number()
            case "--seeds": count = number()
            case "--jobs": jobs = number()
            case "--failures": failuresMax = number()
            case "--trace": isTraced = true
            default: Self.usage()
            }
        }
    }

    static func usage() -> Never {
        print(
            "usage: PairSimulation [--first SEED] [--seeds N] [--jobs N] [--failures N] [--trace]")
        exit(64)
    }
}

/// The sum over all seeds.
struct Summary {
    var numbers = [Int](
        repeating: 0, count: 3 + FaultKind.allCases.count + FailoverTransition.allCases.count)
    var seeds = 0
    var failures = 0

    mutating func add(_ seed: Int, _ output: String, status: Int32) {
        seeds += 1
        let last = output.split(separator: "\n").last.map(String.init) ?? ""
        let parts = last.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
        let found = parts.first.map { $0.split(separator: " ").compactMap { Int($0) } } ?? []
        var violation = parts.count == 2 ? String(parts[1]) : ""
        if found.count == numbers.count {
            for (index, value) in found.enumerated() { numbers[index] += value }
        } else {
            violation = "it died, status \(status): \(last)"
        }
        guard !violation.isEmpty else { return }
        failures += 1
        print("seed \(seed): \(violation); again: PairSimulation --first \(seed) --trace")
    }

    func printAll(cpuSeconds: Double) {
        let hours = Double(numbers[0]) / 3.6e12
        print("\(seeds) seeds, \(failures) failed, \(numbers[2]) commands in the log")
        print(
            "\(Int(hours * 3_600)) simulated seconds, \(numbers[1]) turns,",
            "\(Int(cpuSeconds)) s of CPU:",
            "\((hours / (cpuSeconds / 3_600) * 10).rounded() / 10) simulated hours per hour of CPU")
        let faults = zip(FaultKind.allCases, numbers[3...]).map { "\($0) \($1)" }
        print("faults: \(faults.joined(separator: ", "))")
        let transitions = zip(
            FailoverTransition.allCases, numbers[(3 + FaultKind.allCases.count)...]
        ).map { "\($0) \($1)" }
        print("transitions: \(transitions.joined(separator: ", "))")
    }
}

func cpuSeconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(-1), &usage)
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
}

let arguments = Arguments()

/// Where this run's disks are, in memory: a folder of its own, so that what a run that was killed
/// left behind is never found by a process that has its number again. It is locked while the run
/// lasts; what nobody has locked is left over, and removed.
let runRoot: String = {
    let (place, prefix) = ("/dev/shm", "bourse-pair-")
    for name in (try? Directory.names(in: place)) ?? [] where name.hasPrefix(prefix) {
        let lock = open("\(place)/\(name)/lock", O_RDWR | O_CLOEXEC)
        if lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 { removeAll("\(place)/\(name)") }
        if lock >= 0 { close(lock) }
    }
    var template = Array("\(place)/\(prefix)XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
        print("no folder can be made in \(place): errno \(errno)")
        exit(1)
    }
    let root = String(
        decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // Held until this process ends.
    let lock = open("\(root)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else {
        print("\(root) cannot be locked: errno \(errno)")
        exit(1)
    }
    return root
}()

var summary = Summary()
var running: [Int32: (seed: Int, output: Int32)] = [:]
var next = arguments.first
while true {
    while running.count < arguments.jobs, next < arguments.first + arguments.count,
        summary.failures < arguments.failuresMax
    {
        var ends: [Int32] = [0, 0]
        precondition(pipe(&ends) == 0, "a pipe")
        fflush(stdout)
        let child = machine_fork()
        if child == 0 {
            if !arguments.isTraced { dup2(ends[1], 1) }
            runSeed(UInt64(next), isTraced: arguments.isTraced)
        }
        close(ends[1])
        running[child] = (next, ends[0])
        next += 1
    }
    if running.isEmpty { break }
    var status: Int32 = 0
    let child = waitpid(-1, &status, 0)
    guard let ended = running.removeValue(forKey: child) else { break }
    let bytes = (try? File.readToEnd(ended.output, path: "pipe", bytesMax: 1 << 20)) ?? []
    close(ended.output)
    removeAll(seedRoot(UInt64(ended.seed)))
    if !arguments.isTraced {
        summary.add(ended.seed, String(decoding: bytes, as: UTF8.self), status: status)
    }
}
removeAll(runRoot)
if arguments.isTraced { exit(0) }
summary.printAll(cpuSeconds: cpuSeconds())
exit(summary.failures == 0 ? 0 : 1)
