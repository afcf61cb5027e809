/// A rule that is broken on purpose: the simulation must find each. None is a switch of the
/// product: the driver breaks the core's rules by its inputs or by its handling of effects, the
/// others are broken in the small matchd, journal and etcd around it.
enum BrokenRule: String, CaseIterable {
    case none
    // I1
    case releaseWithoutPeer, releaseUnsynced, acknowledgeOldTail, acknowledgeUnsynced
    case countAnyEpoch, gateGoesBack
    // I2
    case noPromise
    // I3, swap
    case removalUnknownIsDone, claimUnknownIsDone, addUnknownIsNotDone
    case compareEpochOnly, compareWithoutAttempt
    // I4, I5
    case claimNotInSet, hostsNotReplicas, resumeEpoch, staleReadTakesRole
    // I8, cut
    case standbyShowsAll, standbyShowsUnmatched, primaryShowsUnreleased
    case cutWithoutPrevious, cutReleased
    // raise, add, remove, floor, forced
    case neverRaise, addBeforeMatched, addWithoutEpoch, addWithoutRequirement, neverRemove
    case floorOnlyAlone, floorGoesBack, noFloorCheck
    case forcedWhileAlive, forcedFromEnd
    // lease
    case leaseFromReceipt, echoWithoutProgress, claimWithinLease

    /// Whether it makes the floor lower than it should be.
    var isOfTheFloor: Bool { self == .floorOnlyAlone || self == .floorGoesBack }
}
