// The first host's side of a join: one connection after the other, each within its bounds.

import Glibc
import JSON
import Link
import Platform
import Secrets

/// Takes joins as long as `cluster init` or `cluster invite` runs.
struct JoinServer {
    /// What hosts are given beside their certificates.
    struct Gifts {
        /// The journal's identity.
        var journal: String
        /// The journal's first record.
        var firstRecord: [UInt8]
        /// This host's bourse.toml.
        var configuration: String
        /// The key that seals API secrets; empty: there is none.
        var sealKey: [UInt8]
    }

    let plan: ClusterPlan
    let files: ClusterFiles
    let gifts: Gifts
    private let listener: File
    private let authority: CertificateAuthority

    /// Listens at the founder's address.
    init(plan: ClusterPlan, files: ClusterFiles, gifts: Gifts) throws(CommandError) {
        (self.plan, self.files, self.gifts) = (plan, files, gifts)
        authority = CertificateAuthority(files)
        let place = ClusterPlan.place(plan.founder, plan.ports.join)
        do throws(SystemError) {
            listener = File(
                descriptor: try TCPSocket.listen(place, backlog: JoinLimits.waitingMax),
                path: place)
        } catch {
            throw CommandError(
                "joins cannot be taken at \(place): \(error.reason)",
                repair: error.code == EADDRINUSE
                    ? "another `boursectl cluster init` or `invite` runs, or something else has "
                        + "the port: ss -ltnp"
                    : "check that this host has the address: ip address")
        }
    }

    /// Serves one connection, if one comes within a second; gives what an operator should read.
    func serveOne() -> String? {
        let deadline = Clock.monotonicNanos() + 1_000_000_000
        guard TCPSocket.wait(listener.descriptor, Int16(POLLIN), deadline: deadline) else {
            return nil
        }
        let socket: Int32?
        do throws(SystemError) { socket = try TCPSocket.accept(listener.descriptor) } catch {
            return "No connection can be taken: \(error.reason)."
        }
        guard let socket else { return nil }
        do {
            return try serve(socket)
        } catch let error as CommandError {
            return "A host that tried to join: \(error.problem)."
        } catch {
            return "A host that tried to join: \(error)."
        }
    }

    private func serve(_ socket: Int32) throws -> String {
        let deadline = Clock.monotonicNanos() + JoinLimits.nanosMax
        guard let certificate = try TextFile.read(files.authority) else {
            _ = close(socket)
            throw CommandError("\(files.authority) is missing")
        }
        do throws(CommandError) {
            try JoinGreeting.send(certificate, socket, deadline: deadline)
        } catch {
            _ = close(socket)
            throw error
        }
        guard awaitWord(socket, deadline: deadline) else {
            _ = close(socket)
            throw CommandError("it said nothing")
        }
        let stream = try TLSStream(
            acceptingAnybodyOn: socket, address: "the host that joins",
            files: TLSFiles(
                authority: files.authority, certificate: files.certificate, key: files.key))
        try stream.handshake(deadline: deadline)
        let asked = try stream.receive(bytesMax: JoinLimits.requestBytesMax, deadline: deadline)
        guard let request = asked.flatMap(JoinRequest.init) else {
            throw CommandError("what it sent is no request of this version")
        }
        return try answer(request, stream)
    }

    /// Waits until a connection says something; false where it does not. While others wait, it has
    /// a moment only: whoever says nothing keeps no host from joining.
    private func awaitWord(_ socket: Int32, deadline: Int64) -> Bool {
        while true {
            let now = Clock.monotonicNanos()
            let moment = min(deadline, now + JoinLimits.idleNanosMax)
            if TCPSocket.wait(socket, Int16(POLLIN), deadline: moment) { return true }
            if moment == deadline
                || TCPSocket.wait(listener.descriptor, Int16(POLLIN), deadline: now)
            {
                return false
            }
        }
    }

    private func answer(_ request: JoinRequest, _ stream: TLSStream) throws -> String {
        var deadline = Clock.monotonicNanos() + JoinLimits.nanosMax
        let reply: JoinReply
        do throws(CommandError) {
            reply = try admit(request)
        } catch {
            try stream.send(
                ["problem": .string(error.problem), "repair": .string(error.repair)],
                deadline: deadline)
            try stream.end(deadline: deadline)
            throw error
        }
        // etcd may have taken its time.
        deadline = Clock.monotonicNanos() + JoinLimits.nanosMax
        try stream.send(reply.json, deadline: deadline)
        deadline = Clock.monotonicNanos() + JoinLimits.storeNanosMax
        let done = try stream.receive(bytesMax: 256, deadline: deadline)
        guard done?["done"]?.flag == true else {
            throw CommandError(
                "\(request.host) did not finish",
                repair: "repeat the same command there")
        }
        try Invitations.change(files.invitations) { invitations in
            guard var invitation = invitations.find(request.secret) else {
                throw CommandError("its token was replaced meanwhile")
            }
            invitation.isDone = true
            try invitations.put(invitation)
        }
        return request.isRenewal
            ? "\(request.host) has a new certificate." : "\(request.host) has joined."
    }

    /// Signs a host's request, if it was invited.
    func admit(_ request: JoinRequest) throws(CommandError) -> JoinReply {
        let now = Clock.realtimeNanos() / 1_000_000_000
        let invitations = try CommandError.wrapping { try Invitations(file: files.invitations) }
        guard let invitation = invitations.find(request.secret) else {
            throw Self.refused(.unknown, request)
        }
        // What strangers send is not given to openssl.
        let key = try authority.keyHash(request: request.request)
        if let refusal = invitation.refusal(of: request.host, key: key, now: now) {
            throw Self.refused(refusal, request)
        }
        // Only `invite --gateway` invites who is not in the plan.
        if plan.member(request.host) == nil {
            return try admitGateway(request, key: key, now: now)
        }
        guard let member = plan.member(request.host), member.address == request.address else {
            throw CommandError(
                "the first host knows \(request.host) by another address than \(request.address)",
                repair: "give the address that it was named with: "
                    + (plan.member(request.host)?.address ?? "there is none"))
        }
        let isWitness = member == plan.witness
        guard isWitness || request.journal.isEmpty || request.journal == gifts.journal else {
            throw CommandError.otherJournal(request.journal, wanted: gifts.journal)
        }
        try use(request, key: key, now: now)
        var reply = JoinReply(
            certificate: try authority.sign(request: request.request, for: member), plan: plan,
            time: now)
        if !request.isRenewal, request.memberToken != plan.token,
            Directory.exists(files.etcdBegun)
        {
            // A member that has no data, or another etcd's, must not come back as it was.
            reply.etcdMembers = try EtcdProgram(urls: [plan.clientURL(plan.founder)], files: files)
                .replaceMember(member.name, at: plan.peerURL(member))
            reply.isAdded = true
        }
        if !isWitness, !request.isRenewal {
            reply.removedGateways = try files.readRemovedGateways().text
            (reply.journal, reply.configuration) = (gifts.journal, gifts.configuration)
            (reply.firstRecord, reply.sealKey) = (gifts.firstRecord, gifts.sealKey)
        }
        return reply
    }

    /// Notes that this key has used the invitation, which may have been taken back meanwhile.
    private func use(_ request: JoinRequest, key: [UInt8], now: Int64) throws(CommandError) {
        try CommandError.wrapping {
            try Invitations.change(files.invitations) { invitations in
                guard var invitation = invitations.find(request.secret) else {
                    throw Self.refused(.unknown, request)
                }
                if let refusal = invitation.refusal(of: request.host, key: key, now: now) {
                    throw Self.refused(refusal, request)
                }
                invitation.usedBy = key
                try invitations.put(invitation)
            }
        }
    }

    /// Signs the request of a gateway's host, which was invited.
    private func admitGateway(
        _ request: JoinRequest, key: [UInt8], now: Int64
    ) throws(CommandError) -> JoinReply {
        guard request.journal.isEmpty else {
            throw CommandError(
                "\(request.host) has an exchange's journal: it is no host for a gateway alone",
                repair: "join from another host, or remove bourse-matchd and its files there")
        }
        if let removed = try files.readRemovedGateways().times[request.host], now <= removed {
            throw CommandError(
                "\(request.host) was removed: its certificates are refused that are made until "
                    + "\(CertificateAuthority.time(removed)), and it is "
                    + "\(CertificateAuthority.time(now)) on the first host",
                repair: "repeat the same command after that; if it is far off, set the clock")
        }
        try use(request, key: key, now: now)
        var reply = JoinReply(
            certificate: try authority.sign(
                request: request.request, forGateway: request.host), plan: plan, time: now)
        if !request.isRenewal { reply.sealKey = gifts.sealKey }
        return reply
    }

    private static func refused(_ why: JoinRefusal, _ request: JoinRequest) -> CommandError {
        let words = why.words(request.host)
        return CommandError(words.problem, repair: words.repair)
    }
}

extension CommandError {
    /// A host that has another exchange's journal.
    static func otherJournal(_ found: String, wanted: String) -> CommandError {
        CommandError(
            "this host has another exchange's journal, \(found); the cluster's is \(wanted)",
            repair: "where that exchange is given up, keep its files elsewhere and join again: "
                + "systemctl stop bourse.target; mv /var/lib/bourse /var/lib/bourse.old; "
                + "mv /etc/bourse/journal.id /etc/bourse/journal.id.old")
    }
}
