// The host's clock against the log's, at a start.

public import Journal

extension LogClock {
    /// Refuses a host clock that is too far ahead of the log to be taken without an operator's word
    /// (`clockAhead`). A log that was only begun has nothing to compare it with.
    public static func checkHost(
        _ place: JournalPlace, _ writer: JournalWriter, _ mark: CommandMark?
    ) throws(JournalError) {
        let (host, monotonic) = readHost()
        let last = writer.lastTimestamp
        guard writer.lastSequence > 1,
            isFarAhead(last: last, line: mark?.line, host: host, monotonic: monotonic),
            !place.hasAcceptedClock(host, within: aheadNanosMax)
        else { return }
        throw .clockAhead(nanos: host - last)
    }
}

extension CommandMark.Suspect: CustomStringConvertible {
    /// Whether it is refused if it comes again.
    public var isRefused: Bool { session != 0 && deaths > 1 }

    /// What the process died of, in words.
    public var description: String {
        let what =
            session == 0
            ? "a record of kind \(kind)"
            : "command \(number) of session \(session), of kind \(kind)"
        return isRefused
            ? "died \(deaths) times while applying \(what): it is refused as poisoned if it comes "
                + "again; report it with `boursectl support-bundle`" : "died while applying \(what)"
    }
}
