// What the verbs for roles share: the agent here, waiting with progress, refusals with a way out.

import AgentAPI
import ArgumentParser
import Configuration
import Glibc
import JSON
import Platform
import Presentation

/// The options of every verb that changes roles.
struct ClusterOrderOptions: ParsableArguments {
    @OptionGroup var common: CommonOptions
    @OptionGroup var who: OperatorOption
    @Option(help: ArgumentHelp("Maximum seconds to wait until it is done.", valueName: "seconds"))
    var wait = 30

    func validate() throws {
        if !(1...3_600 ~= wait) { throw ValidationError("--wait is 1 … 3600 seconds.") }
    }

    /// This host's agent, ready to be asked.
    func order() throws(CommandError) -> ClusterOrder {
        _ = try ClusterPlace(common).member()
        let settings = try common.settings()
        let waitNanos = Int64(wait) * 1_000_000_000
        return ClusterOrder(
            settings: settings,
            agent: HostAgent(
                socket: settings.agent.socket,
                nanosMax: min(waitNanos, HostAgent.clusterNanosMax)),
            user: "\(try who.text())", waitNanos: waitNanos)
    }
}

/// A verb for this host's agent.
struct ClusterOrder {
    let settings: Settings
    let agent: HostAgent
    let user: String
    let waitNanos: Int64

    /// Between two looks at the agent's document.
    private static let lookNanos: Int64 = 20_000_000

    /// The agent's document. A document of an agent that gets no report of matchd is one too.
    func document() throws(CommandError) -> ClusterDocument {
        try agent.ask { (agent) throws(AgentError) in try agent.cluster() }
    }

    /// Gives the verb; throws the agent's refusal with the way out. `peerOffInEpoch` is the
    /// record's epoch as it was before the other host was proven off.
    func give(_ verb: ClusterVerb, peerOffInEpoch: UInt32? = nil) throws(CommandError) {
        _ = try agent.ask { (agent) throws(AgentError) in
            try agent.obey(verb, peerOffInEpoch: peerOffInEpoch, by: user)
        }
    }

    /// Gives the failover; returns whether it needs the proof that the other host is off. Throws
    /// where the agent would not lead whatever is proven.
    func needsProof() throws(CommandError) -> Bool {
        do throws(CommandError) {
            try give(.failover)
            return false
        } catch {
            guard error.problem.contains(ClusterVerb.notProvenOff) else { throw error }
            return true
        }
    }

    /// Gives the agent the proof that the other host is off, which the reason of the next claim
    /// then names. An agent that does not take it is no reason to leave the exchange closed.
    func note(proof: String) {
        do throws(CommandError) {
            _ = try agent.ask { (agent) throws(AgentError) in
                try agent.obey(.peerOff, proof: proof, by: user)
            }
        } catch { Terminal.warn("The agent here did not note the proof: \(error.problem)") }
    }

    /// Throws unless this host leads, by naming the one that does.
    func checkPrimary(_ document: ClusterDocument, _ verb: String) throws(CommandError) {
        guard !document.leads else { return }
        guard let primary = document.primary, primary != document.host else {
            throw CommandError(
                "\(document.host) does not lead: it \(document.sentence)",
                repair: "see: sudo boursectl cluster status")
        }
        throw CommandError(
            "\(document.host) does not lead epoch \(document.recordEpoch ?? 0): \(primary) does",
            repair: "there: sudo boursectl \(verb)")
    }

    /// Throws where this host would not claim what a verb has it claim.
    func checkMayClaim(_ document: ClusterDocument) throws(CommandError) {
        guard document.isBarred else { return }
        throw CommandError(
            "\(document.host) would claim nothing: its [cluster] watchdog is required, and the "
                + "machine's is \(document.watchdog ?? "unknown")",
            repair: "arm it (sudo boursectl explain kernel.watchdog), or set it to \"auto\" in "
                + "\(settings.file) and sudo systemctl restart bourse-agentd")
    }

    /// Looks at the document until `isDone` gives a value, and returns that; `isDone` may throw.
    /// What the agent does meanwhile is shown on a terminal. `given`: the verb that is waited for,
    /// and the document before it.
    func await<Value>(
        _ what: String, given: (verb: ClusterVerb, before: ClusterDocument)? = nil,
        _ isDone: (ClusterDocument) throws(CommandError) -> Value?
    ) throws(CommandError) -> Value {
        let begin = Clock.monotonicNanos()
        var meter = ProgressMeter(what, unit: "looks")
        defer { meter.clear() }
        var looks: UInt64 = 0
        var last: ClusterDocument?
        while Clock.monotonicNanos() - begin < waitNanos {
            // An agent that does not answer now may do so next time.
            last = try? document()
            if let last, let value = try isDone(last) { return value }
            looks += 1
            meter.draw(done: looks, total: 0)
            Clock.sleep(nanos: Self.lookNanos)
        }
        let seconds = waitNanos / 1_000_000_000
        guard let last else {
            throw CommandError(
                "\(what): whether it is done is not known after \(seconds) s: the agent here gives "
                    + "no answer",
                repair: "see systemctl status bourse-agentd; then: sudo boursectl cluster status")
        }
        let outlook = given.map {
            OrderOutlook($0.verb, $0.before, last, after: Clock.monotonicNanos() - begin)
        }
        let here = "this host: \(last.sentence)"
        switch outlook ?? .open {
        case .open:
            throw CommandError(
                "\(what): not done within \(seconds) s; \(here)",
                repair: "it may still come; see: sudo boursectl cluster status")
        case .done(let words):
            throw CommandError(
                "\(what): done, \(words), but not all that follows within \(seconds) s; \(here)",
                repair: "do not give it again; see: sudo boursectl cluster status")
        case .dropped(let reason):
            throw CommandError(
                "\(what): not done, and it will not come any more: \(reason); \(here)",
                repair: "see: sudo boursectl cluster status; then, if it is still wanted, give it "
                    + "again")
        }
    }
}

/// A host's name, typed by an operator or given beforehand, so that a verb is meant for this host.
enum HostNameConfirmation {
    /// Throws where it is another one; `without` where there is no terminal to type it on. Returns
    /// whether it was given beforehand.
    static func check(
        _ host: String, given: String?, asking question: String,
        without refusal: @autoclosure () -> CommandError
    ) throws(CommandError) -> Bool {
        if let given {
            guard given == host else {
                throw CommandError("--yes-name \(given) is not \(host)", code: .usage)
            }
            return true
        }
        guard Terminal.isTerminal(STDIN_FILENO) else { throw refusal() }
        Terminal.write(question, to: STDERR_FILENO)
        guard readLine() == host else { throw CommandError("not confirmed; nothing was done") }
        return false
    }
}

extension ClusterDocument {
    /// The changes behind those that `earlier` had.
    func changes(since earlier: ClusterDocument) -> [ClusterChange] {
        let known = Set(earlier.changes)
        return changes.filter { !known.contains($0) }
    }
}
