// The arguments that hot CPUs need on the kernel's command line, and the line with them.

import AgentAPI
import HelperAPI
import JSON

/// The kernel's command line as it is, and as it should be. It is only shown, never changed.
public struct BootPlan: Hashable, Sendable {
    /// An argument.
    struct Argument: Hashable {
        var name: String
        /// The value of `name=`, the old one included.
        var value: String
        /// Whether the present value will do.
        var isRight: Bool
        var why: String
        var text: String { "\(name)=\(value)" }
    }

    /// Arguments that the running kernel lacks, as `nohz_full=2`.
    public private(set) var missing: [String] = []
    /// Whole lines of /etc/default/grub that replace those of the same variable; empty where they
    /// are right, or there is no such file.
    public private(set) var lines: [String] = []
    /// What its owner has to do, a line each.
    public private(set) var commands: [String] = []
    let items: [TunePlan.Item]

    static let sources = [
        "/proc/cmdline", grub, Observation.onlinePath, "/sys/devices/system/cpu/isolated",
        "/sys/devices/system/cpu/nohz_full",
    ]
    private static let grub = "/etc/default/grub"

    init(_ input: CheckInput) {
        let hot = input.plan.hotCPUs
        guard !hot.isEmpty, let rest = input.housekeeping else {
            items = []
            return
        }
        guard input.now.text("/proc/cmdline") != nil else {
            items = [
                TunePlan.Item(
                    topic: .boot, name: "cmdline", state: .unknown,
                    text: "/proc/cmdline is missing", why: Self.whys[0])
            ]
            return
        }
        // A kernel without CONFIG_NO_HZ_FULL has no such file, and would ignore the argument.
        let isTickless = input.now.text("/sys/devices/system/cpu/nohz_full") != nil
        let wanted = { (words: [Substring]) in
            Self.arguments(words, hot: hot, rest: rest, isTickless: isTickless)
        }
        let running = wanted(input.now.commandLine)
        missing = running.filter { !$0.isRight }.map(\.text)
        items = running.map { Self.item($0, input.now, hot) }
        guard !missing.isEmpty else { return }
        let file = GrubFile(input.now.text(Self.grub) ?? "")
        guard input.now.text(Self.grub) != nil else {
            commands = ["have the boot loader pass these arguments to the kernel", "reboot"]
            return
        }
        lines = file.changed(wanted(file.words))
        // The file is right, and the kernel still lacks it: another one may have the last word.
        commands =
            (lines.isEmpty
                ? ["grep GRUB_CMDLINE_LINUX \(Self.grub).d/*.cfg"]
                : ["put into \(Self.grub):"] + lines.map { "  " + $0 }) + ["update-grub", "reboot"]
    }

    var json: JSONValue {
        [
            "missing": .array(missing.map { .string($0) }),
            "lines": .array(lines.map { .string($0) }),
            "commands": .array(commands.map { .string($0) }),
        ]
    }

    private static var whys: [String] {
        [
            "The scheduler puts nothing on these CPUs; managed interrupts stay off them.",
            "Without the timer's tick a thread that is alone on its CPU is not interrupted.",
            "What the kernel frees later, other CPUs free.",
            "New interrupts of devices start on other CPUs.",
        ]
    }

    /// The arguments for hot CPUs, as they should be among these words.
    private static func arguments(
        _ words: [Substring], hot: CPUSet, rest: CPUSet, isTickless: Bool
    ) -> [Argument] {
        func value(_ name: String) -> Substring? {
            words.last { $0.hasPrefix(name + "=") }?.dropFirst(name.utf8.count + 1)
        }
        func joined(_ list: Substring?) -> (cpus: CPUSet, hasAll: Bool) {
            let old = list.flatMap { CPUSet(list: $0) } ?? CPUSet([])
            return (CPUSet(old.numbers + hot.numbers), hot.subtracting(old).isEmpty)
        }
        // isolcpus=[flag,…]CPUS (kernel-parameters.txt); without flags it means `domain`.
        let parts = value("isolcpus")?.split(separator: ",") ?? []
        let flags = parts.prefix { $0.first?.isNumber == false }
        let isolated = joined(Substring(parts.dropFirst(flags.count).joined(separator: ",")))
        let needed: [Substring] = ["managed_irq", "domain"]
        let all = needed + flags.filter { !needed.contains($0) }
        var arguments = [
            Argument(
                name: "isolcpus", value: "\(all.joined(separator: ",")),\(isolated.cpus)",
                isRight: isolated.hasAll && needed.allSatisfy(flags.contains), why: whys[0])
        ]
        if isTickless {
            let tickless = joined(value("nohz_full"))
            let callbacks = joined(value("rcu_nocbs"))
            // nohz_full= moves the callbacks too.
            let isMoved = callbacks.hasAll || value("rcu_nocbs") == "all" || tickless.hasAll
            arguments += [
                Argument(
                    name: "nohz_full", value: "\(tickless.cpus)", isRight: tickless.hasAll,
                    why: whys[1]),
                Argument(
                    name: "rcu_nocbs",
                    value: value("rcu_nocbs") == "all" ? "all" : "\(callbacks.cpus)",
                    isRight: isMoved, why: whys[2]),
            ]
        }
        let interrupts = value("irqaffinity").flatMap { CPUSet(list: $0) } ?? CPUSet([])
        let isOff = !interrupts.isEmpty && interrupts.intersection(hot).isEmpty
        arguments.append(
            Argument(
                name: "irqaffinity", value: "\(isOff ? interrupts : rest)", isRight: isOff,
                why: whys[3]))
        return arguments
    }

    /// An argument, and whether the kernel applied it.
    private static func item(
        _ argument: Argument, _ now: Observation, _ hot: CPUSet
    ) -> TunePlan.Item {
        var item = TunePlan.Item(
            topic: .boot, name: argument.name, state: .done,
            text: "\(argument.text) is on the kernel's command line", why: argument.why)
        let file = ["isolcpus": "isolated", "nohz_full": "nohz_full"][argument.name]
        let path = file.map { "/sys/devices/system/cpu/\($0)" }
        let taken = path.flatMap { now.text($0) }.flatMap { CPUSet(list: $0) }
        if !argument.isRight {
            item.state = .owner
            item.text = "the kernel's command line lacks \(argument.text)"
        } else if let path, let taken, !hot.subtracting(taken).isEmpty {
            item.state = .owner
            item.text += ", but the kernel did not apply it: \(path) has \(taken)"
            item.advice = ["journalctl -k --grep '\(argument.name)|housekeeping'"]
        }
        return item
    }
}

/// The two variables of /etc/default/grub that make the kernel's command line: what is in
/// `GRUB_CMDLINE_LINUX_DEFAULT` stands behind the other.
private struct GrubFile {
    private static var names: [String] { ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"] }
    /// Each variable's quote and words, by `names`; empty where it is not set.
    private var variables: [(quote: String, words: [Substring])] = []

    init(_ text: String) {
        variables = Self.names.map { name in
            let lines = text.split(separator: "\n").map { $0.trimming }
            guard let line = lines.last(where: { $0.hasPrefix(name + "=") }) else {
                return ("\"", [])
            }
            let value = line.dropFirst(name.utf8.count + 1)
            guard let quote = value.first, quote == "\"" || quote == "'" else {
                return ("\"", value.prefix { $0 != "#" }.words)
            }
            return (String(quote), value.dropFirst().prefix { $0 != quote }.words)
        }
    }

    /// The words in the order in which the kernel gets them.
    var words: [Substring] { variables.flatMap(\.words) }

    /// The lines that change for these arguments: each stands where it stood, or else in the first
    /// variable.
    func changed(_ arguments: [BootPlan.Argument]) -> [String] {
        var new = variables
        for argument in arguments where !argument.isRight {
            let isIt = { (word: Substring) in word.hasPrefix(argument.name + "=") }
            let place = new.lastIndex { $0.words.contains(where: isIt) } ?? 0
            for index in new.indices { new[index].words.removeAll(where: isIt) }
            new[place].words.append(Substring(argument.text))
        }
        return zip(Self.names, zip(variables, new)).compactMap { name, pair in
            guard pair.0.words != pair.1.words else { return nil }
            return "\(name)=\(pair.1.quote)\(pair.1.words.joined(separator: " "))\(pair.1.quote)"
        }
    }
}
