// Who gets a connection when few are left. Pure.

package import Link

/// What admission looks at of a connection.
package struct LinkSeat: Hashable {
    package var role: LinkRole
    /// Whether it has greeted, and proved the key where one is needed.
    package var isReady: Bool
    /// Whether it follows the log.
    package var isFollowing: Bool
    /// When its last whole frame came, ns.
    package var lastUsed: Int64

    package init(role: LinkRole, isReady: Bool, isFollowing: Bool, lastUsed: Int64) {
        (self.role, self.isReady) = (role, isReady)
        (self.isFollowing, self.lastUsed) = (isFollowing, lastUsed)
    }
}

/// Decides whether a newcomer gets a connection, and which one is evicted for it.
///
/// Of `seats.count` connections an eighth is for operators alone; observers get at most a half.
/// Without room, the least useful connection of a rank no higher than the newcomer's is closed:
/// first those that have not greeted, then by rank, then those that do not follow the log, then the
/// one whose last frame is longest ago. One that is in use is not closed for another of its rank.
package enum LinkAdmission: Hashable {
    /// There is room.
    case free
    /// This one is closed for it.
    case evict(Int)
    /// It is turned away.
    case refuse

    /// After so long without a frame a connection is idle.
    static var idleNanos: Int64 { 1_000_000_000 }

    /// Connections that only operators get.
    static func operatorsOnly(of count: Int) -> Int { max(1, count / 8) }

    package static func decide(_ role: LinkRole, _ seats: [LinkSeat?], at now: Int64)
        -> LinkAdmission
    {
        let taken = seats.lazy.compactMap { $0 }
        if role == .observer,
            taken.count(where: { $0.role == .observer }) >= max(1, seats.count / 2)
        {
            return victim(for: role, seats, at: now) { $0.role == .observer }
        }
        if role < .operator,
            taken.count(where: { $0.role < .operator })
                >= seats.count - operatorsOnly(of: seats.count)
        {
            return victim(for: role, seats, at: now) { $0.role < .operator }
        }
        if seats.contains(where: { $0 == nil }) { return .free }
        return victim(for: role, seats, at: now) { _ in true }
    }

    private static func victim(
        for role: LinkRole, _ seats: [LinkSeat?], at now: Int64, _ isMeant: (LinkSeat) -> Bool
    ) -> LinkAdmission {
        var found: (slot: Int, seat: LinkSeat)?
        for (slot, seat) in seats.enumerated() {
            guard let seat, seat.role <= role, isMeant(seat), givesWay(seat, to: role, at: now)
            else { continue }
            if let best = found, !isLessUseful(seat, best.seat) { continue }
            found = (slot, seat)
        }
        return found.map { .evict($0.slot) } ?? .refuse
    }

    private static func givesWay(_ seat: LinkSeat, to role: LinkRole, at now: Int64) -> Bool {
        if !seat.isReady { return true }
        if seat.role == .observer, role > .observer { return true }
        return !seat.isFollowing && now - seat.lastUsed >= idleNanos
    }

    private static func isLessUseful(_ a: LinkSeat, _ b: LinkSeat) -> Bool {
        if a.isReady != b.isReady { return b.isReady }
        if a.role != b.role { return a.role < b.role }
        if a.isFollowing != b.isFollowing { return b.isFollowing }
        return a.lastUsed < b.lastUsed
    }
}
