// The threads that have a CPU of their own: are they on it, do they keep it. Numbers 101 … 109.

import AgentAPI
import HelperAPI

extension CheckKind {
    static let threadAffinity = CheckKind(
        101, "cpu.thread-affinity",
        why: "A hot thread that moves, or shares its CPU, waits and finds its caches cold.")
    static let preemption = CheckKind(
        102, "cpu.preemption", unit: "per-minute", warning: 2, critical: 600,
        why: "Each time another task takes the CPU, every order behind it waits.")
    static let runDelay = CheckKind(
        103, "cpu.run-delay", unit: "microseconds-per-second", warning: 50, critical: 1_000,
        why: "In this time a hot thread was ready to run and waited for its CPU.")
}

extension CheckGroup {
    /// Where each hot thread runs, and what it waited for.
    static let threads = CheckGroup(
        "cpu.threads", seconds: 1, kinds: [.threadAffinity, .preemption, .runDelay],
        sources: [
            UnitStatus.path, "/proc/{pid}/task/*/status", "/proc/{pid}/task/*/stat",
            "/proc/{pid}/task/*/schedstat",
        ]
    ) { input in
        input.plan.hotThreads.flatMap { ThreadCheck(input: input, hot: $0).findings }
    }
}

private struct ThreadCheck {
    let input: CheckInput
    let hot: HostPlan.HotThread

    var subject: String {
        let unit = hot.unit.hasSuffix(".service") ? String(hot.unit.dropLast(8)) : hot.unit
        return "\(unit)/\(hot.thread)"
    }

    var findings: [Finding] {
        let kinds: [CheckKind] = [.threadAffinity, .preemption, .runDelay]
        guard let process = input.now.units[hot.unit]?.process, process > 0 else {
            return kinds.map {
                input.unknown($0, subject, source: "systemd", "\(hot.unit) has no process")
            }
        }
        let folder = "/proc/\(process)/task"
        let threads = input.now.names(folder) ?? []
        let named = threads.first { thread in
            input.now.threadStatus("\(folder)/\(thread)")?.isNamed(hot.thread) == true
        }
        guard let named, let thread = Int(named) else {
            return kinds.map {
                input.unknown(
                    $0, subject, source: folder, "\(folder) has no thread named \(hot.thread)")
            }
        }
        let path = "\(folder)/\(thread)"
        return [affinity(Int(process), thread, path), preemption(path), delay(path)]
    }

    private func affinity(_ process: Int, _ thread: Int, _ path: String) -> Finding {
        let status = "\(path)/status"
        guard let allowed = input.now.threadStatus(path)?.allowed, !allowed.isEmpty
        else { return input.unknown(.threadAffinity, subject, source: status) }
        guard let last = input.now.text("\(path)/stat").flatMap(ThreadStat.lastCPU) else {
            return input.unknown(.threadAffinity, subject, source: "\(path)/stat")
        }
        let others = input.plan.hotThreads.filter { $0 != hot && $0.cpu == hot.cpu }
        if let other = others.first {
            return Finding(
                .threadAffinity, subject, .critical,
                "\(hot.thread) and \(other.thread) are both declared for CPU \(hot.cpu)",
                source: status, fix: .advice(["declare a CPU of its own for each hot thread"]))
        }
        let move = HelperRequest.threadAffinity(
            process: process, thread: thread, cpus: CPUSet([hot.cpu]))
        return input.verdict(
            .threadAffinity, subject, isRight: allowed.numbers == [hot.cpu] && last == hot.cpu,
            wrong: .critical,
            "\(hot.thread) may run on CPU \(allowed), last ran on \(last) and is declared for "
                + "\(hot.cpu)", source: status, fix: .change([move]))
    }

    private func preemption(_ path: String) -> Finding {
        let source = "\(path)/status"
        return input.rate(
            .preemption, subject, over: 60, source: source, fix: advice,
            of: { $0.threadStatus(path)?.involuntary },
            { "\(hot.thread) lost its CPU \(times($0)) a minute" })
    }

    private func delay(_ path: String) -> Finding {
        let source = "\(path)/schedstat"
        return input.rate(
            .runDelay, subject, source: source, fix: advice,
            of: { $0.text(source).flatMap(ThreadSchedule.waitNanos).map { $0 / 1_000 } },
            { "\(hot.thread) waited \($0) µs a second for its CPU" })
    }

    private var advice: Fix {
        .advice([
            "ps -eLo psr,pid,tid,cls,rtprio,comm | awk '$1 == \(hot.cpu)'",
            "keep other work off CPU \(hot.cpu): "
                + "isolcpus=domain,managed_irq,\(input.plan.hotCPUs) on the kernel's command line",
        ])
    }
}
