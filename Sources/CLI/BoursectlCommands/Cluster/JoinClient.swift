// A joining host's side of a join.

import Checks
import Glibc
import JSON
import Platform
import Secrets

/// A connection to the first host, which has proved that it has the token's authority.
struct JoinClient {
    private let stream: TLSStream

    /// Connects to where the token says, and keeps the authority's certificate in `files`.
    init(_ token: JoinToken, files: ClusterFiles) throws(CommandError) {
        let deadline = Clock.monotonicNanos() + JoinLimits.nanosMax
        let socket: Int32
        do throws(SystemError) {
            socket = try TCPSocket.connect(token.place, timeoutNanos: JoinLimits.nanosMax)
        } catch {
            throw CommandError(
                "\(token.founder) does not take joins at \(token.place): \(error.reason)",
                repair: "`sudo boursectl cluster init` or `cluster invite` must be running there, "
                    + "and the port open; where it is, others keep it busy: repeat the same "
                    + "command", code: .notRunning)
        }
        let text: String
        do throws(JoinGreeting.GreetingError) {
            text = try JoinGreeting.receive(socket, deadline: deadline)
        } catch {
            _ = close(socket)
            throw error == .silence ? Self.busy(token) : Self.noJoins(token)
        }
        guard let certificate = Certificate(pem: text.utf8) else {
            _ = close(socket)
            throw Self.noJoins(token)
        }
        guard isEqual(CertificateAuthority.fingerprint(certificate), token.fingerprint) else {
            _ = close(socket)
            throw CommandError(
                "what listens at \(token.place) is not of the cluster that the token is for",
                repair: "get a new token on the first host: sudo boursectl cluster invite HOST; "
                    + "if that fails in the same way, something between the hosts answers for it")
        }
        do {
            if try TextFile.read(files.authority) != text {
                try TextFile.write(text, to: files.authority, mode: 0o644)
            }
            stream = try TLSStream(
                socket, isServer: false, address: token.place,
                files: TLSFiles(authority: files.authority), expecting: [token.founder])
            try stream.handshake(deadline: deadline)
        } catch {
            throw CommandError(error)
        }
    }

    private static func busy(_ token: JoinToken) -> CommandError {
        CommandError(
            "\(token.founder) says nothing at \(token.place): the port is busy with others' "
                + "connections, or the command there has ended",
            repair: "repeat the same command; who is connected, on \(token.founder): ss -tnp")
    }

    private static func noJoins(_ token: JoinToken) -> CommandError {
        CommandError("what listens at \(token.place) takes no joins", repair: "check the token")
    }

    /// Asks to join; the first host's refusal is thrown.
    func ask(_ request: JoinRequest) throws(CommandError) -> JoinReply {
        let deadline = Clock.monotonicNanos() + JoinLimits.storeNanosMax
        let answer: JSONValue?
        do throws(TLSError) {
            try stream.send(request.json, deadline: deadline)
            answer = try stream.receive(bytesMax: JoinLimits.lineBytesMax, deadline: deadline)
        } catch {
            throw CommandError("\(error)", repair: "repeat the same command")
        }
        if let problem = answer?["problem"]?.text {
            throw CommandError(problem, repair: answer?["repair"]?.text ?? "")
        }
        guard let reply = answer.flatMap(JoinReply.init) else {
            throw CommandError(
                "the first host answers in a form that is not known here",
                repair: "install the same version on all hosts")
        }
        let (apart, isOver) = (Clock.realtimeNanos() / 1_000_000_000)
            .subtractingReportingOverflow(reply.time)
        guard !isOver, apart.magnitude <= JoinLimits.clockSecondsMax else {
            throw CommandError(
                "this host's clock is \(apart.magnitude) s \(apart < 0 ? "behind" : "ahead of") "
                    + "the first one's: certificates and logged times would not fit",
                repair: "set both clocks, as by chrony, and repeat the same command")
        }
        return reply
    }

    /// Says that everything is in this host's files.
    func finish() {
        let deadline = Clock.monotonicNanos() + JoinLimits.nanosMax
        // Lost, the first host waits for this one until the command is repeated here.
        try? stream.send(["done": .bool(true)], deadline: deadline)
        try? stream.end(deadline: deadline)
    }
}
