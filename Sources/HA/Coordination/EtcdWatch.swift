// How etcd's members are, as this host reaches them: to show, not to decide on.

internal import Platform
internal import Requests
internal import Synchronization

/// A member of etcd, as this host reaches it.
public struct EtcdMemberView: Hashable, Sendable {
    /// Its name, or its URL until etcd has listed it.
    public let name: String
    /// It leads the members.
    public let isLeader: Bool
    /// Why it takes no part in writes; nil: it does.
    public let fault: String?
    /// Since when that is so, by the host's clock, nanoseconds since 1970.
    public let sinceNanos: Int64
}

/// Asks each member in turn how it is. Any thread may use it.
public final class EtcdWatch: Sendable {
    private struct State {
        var members: [EtcdMemberView] = []
        var task: Task<Void, Never>?
    }

    private static let period = Duration.seconds(2)
    private let client: EtcdClient
    private let state = Mutex(State())

    /// A watch that asks nothing yet.
    public init(_ client: EtcdClient) { self.client = client }

    /// Begins. Call it once.
    public func start() {
        let task = Task { [weak self] in
            while let self, !Task.isCancelled {
                await self.ask()
                try? await Task.sleep(for: Self.period)
            }
        }
        state.withLock { $0.task = task }
    }

    /// Ends after the question that is under way.
    public func stop() { state.withLock { $0.task }?.cancel() }

    /// The members in the order of the settings; none: they have not been asked yet.
    public var members: [EtcdMemberView] { state.withLock { $0.members } }

    private func ask() async {
        let listed = (try? await client.members()) ?? []
        let old = members
        var found: [EtcdMemberView] = []
        for (index, endpoint) in client.settings.endpoints.enumerated() {
            let (isLeader, fault) = await ask(endpoint)
            let before = old.indices.contains(index) ? old[index] : nil
            let name = listed.first { $0.clientURLs.contains(endpoint.description) }?.name ?? ""
            let isSame = before.map { ($0.fault == nil) == (fault == nil) } ?? false
            found.append(
                EtcdMemberView(
                    name: name.isEmpty ? before?.name ?? endpoint.description : name,
                    isLeader: isLeader, fault: fault,
                    sinceNanos: isSame ? before?.sinceNanos ?? 0 : Clock.realtimeNanos()))
        }
        state.withLock { $0.members = found }
    }

    private func ask(_ endpoint: HTTPEndpoint) async -> (isLeader: Bool, fault: String?) {
        do throws(EtcdError) {
            let status = try await client.status(of: endpoint)
            guard status.leaderID > 0 else { return (false, "it knows no leader") }
            return (status.memberID == status.leaderID, status.errors.first)
        } catch { return (false, "\(error)") }
    }
}
