// Who may do what on the Link.

import Platform

/// What a connection may do. All may follow the log, ask for status and sessions.
public enum LinkRole: Int, Comparable, Sendable {
    /// Submit nothing.
    case observer
    /// Submit what traders ask for.
    case gateway
    /// Submit what comes from chains: the wallet's commands, and no orders.
    case wallet
    /// Submit whatever writers may but what comes from chains: the exchange's administration.
    case `operator`

    /// By who gives way to whom where connections are short.
    public static func < (a: LinkRole, b: LinkRole) -> Bool { a.rawValue < b.rawValue }
}

/// Who may connect to the Link's Unix socket, beside root and the process's own user, who are
/// operators. Whoever is not named may not.
public struct LinkUsers: Sendable {
    /// Roles of users, by user id.
    public var users: [(id: UInt32, role: LinkRole)] = []
    /// Roles of groups' members, by group id.
    public var groups: [(id: UInt32, role: LinkRole)] = []

    /// Nobody.
    public init() {}

    /// Gives a role to users of this host by name, and to groups as `%name`. Gives what is wrong
    /// with the first that this host does not have, or nil. Not for use from two threads at once.
    public mutating func add(_ names: [String], _ role: LinkRole) -> String? {
        for name in names {
            let isGroup = name.hasPrefix("%")
            let id =
                isGroup ? Host.groupID(named: String(name.dropFirst())) : Host.userID(named: name)
            guard let id else {
                return "this host has no \(isGroup ? "group" : "user") \(name): create it, or take "
                    + "it out"
            }
            if isGroup { groups.append((id, role)) } else { users.append((id, role)) }
        }
        return nil
    }

    /// Whether any user or group is named for a role.
    public func hasAny(_ role: LinkRole) -> Bool {
        users.contains { $0.role == role } || groups.contains { $0.role == role }
    }

    /// Whether a user is root, or that of this process, whose id is `own`.
    static func isOwner(_ user: UInt32, own: UInt32) -> Bool { user == 0 || user == own }

    /// The highest role of a user and its groups, or nil where it has none. `own` is the id of this
    /// process's user.
    public func role(user: UInt32, groups ofUser: [UInt32], own: UInt32) -> LinkRole? {
        if Self.isOwner(user, own: own) { return .operator }
        let byUser = users.lazy.filter { $0.id == user }.map(\.role)
        let byGroup = groups.lazy.filter { ofUser.contains($0.id) }.map(\.role)
        return [byUser.max(), byGroup.max()].compactMap { $0 }.max()
    }
}
