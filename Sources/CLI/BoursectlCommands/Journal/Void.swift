// void

import ArgumentParser
import Configuration
import Glibc
import JSON
import Journal
import Platform
import Presentation
import Wire

struct VoidCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "void",
        abstract: "Voids a record that stops the engine, so that the exchange can start again.",
        discussion: """
            For one case only: a record on which a bug stops the engine, which would stop it again \
            at every start. After two starts that died at the same record matchd reports its \
            sequence; only that record can be voided. Every replica then skips it as if it had \
            been refused. It stays in the journal, with who voided it and why.

            matchd must not be running: what a running engine has executed cannot be undone \
            without making replicas differ. For the same reason a record that a hash mark or a \
            snapshot follows cannot be voided. A wrong credit is corrected by a new command, as \
            `boursectl debit`.

            It asks for the sequence to be typed again; --confirm SEQUENCE confirms beforehand.

            JSON: {"sequence", "voids"}

            EXAMPLE
              boursectl void 81234 --reason "ticket 99: stops the engine"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: ReasonedSignatureOptions
    @Argument(help: "The record's sequence.") var sequence: UInt64
    @Option(help: ArgumentHelp("The sequence again.", valueName: "sequence"))
    var confirm: UInt64?

    func run() throws {
        let audit = try signature.audit()
        let settings = try common.settings()
        let lock = try JournalHold(settings, "voiding is for a matchd that cannot start")
        let written = try withExtendedLifetime(lock) { try append(audit, settings) }
        common.out.give(
            ["sequence": .number(written), "voids": .number(sequence)],
            text: [
                "Record \(sequence) is voided by record \(written). Start matchd again: "
                    + "systemctl start bourse-matchd"
            ])
    }

    private func append(_ audit: Audit, _ settings: Settings) throws -> UInt64 {
        let place = JournalPlace(settings)
        let store = SnapshotStore(directory: settings.snapshotsDirectory)
        let opened = try Journal.open(place, snapshots: store, scansAll: true)
        let journal = opened.recovered
        if let cut = journal.cut { Terminal.warn("boursectl: \(cut)") }
        try check(journal, settings)
        try Confirmation.ask(
            "Type its sequence to void it on every replica: ", "\(sequence)",
            confirm.map { "\($0)" })
        let header = RecordHeader(
            sequence: journal.lastSequence + 1,
            timestamp: max(journal.lastTimestamp, Clock.realtimeNanos()),
            epoch: journal.lastEpoch, kind: .voidSequence)
        var record = VoidSequence(sequence: sequence, audit: audit).recordBytes(header)
        unsafe record.withUnsafeMutableBytes { unsafe CRC32C.seal(record: $0) }
        let writer = try JournalWriter(
            recovered: journal, replica: opened.replica.replica, place: place,
            options: JournalOptions(
                segmentBytes: settings.matchd.segmentBytes,
                reserveBytes: settings.matchd.reserveBytes))
        var failure: JournalError?
        unsafe record.withUnsafeBytes { bytes in
            do throws(JournalError) {
                try unsafe writer.append(bytes)
                try writer.sync()
            } catch { failure = error }
        }
        if let failure { throw failure }
        return header.sequence
    }

    /// Refuses where voiding would make replicas differ, and shows the record.
    private func check(_ journal: RecoveredJournal, _ settings: Settings) throws {
        guard sequence > 1, sequence <= journal.lastSequence else {
            throw CommandError(
                "there is no record \(sequence) to void: records go from 2 to "
                    + "\(journal.lastSequence)", code: .usage)
        }
        guard !journal.voided.contains(sequence) else {
            throw CommandError("record \(sequence) is voided already")
        }
        try checkMark(settings)
        let snapshots = try SnapshotStore(directory: settings.snapshotsDirectory).sequences()
        if let behind = snapshots.first(where: { $0 >= sequence }) {
            throw CommandError(
                "the snapshot of record \(behind) follows it: it was executed and cannot be undone",
                repair: "correct it with a new command, as `boursectl debit`")
        }
        var (text, mark): (String?, UInt64?) = (nil, nil)
        let reader = JournalReader(directory: journal.directory, from: sequence)
        while try unsafe reader.next(
            bytesMax: 1 << 16,
            { run in
                unsafe Records.forEach(run) { header, bytes in
                    if header.sequence == sequence {
                        text = unsafe RecordText(bytes)?.line(voided: false)
                    } else if header.kind == CommandKind.hashMark.rawValue {
                        mark = mark ?? header.sequence
                    }
                }
            })
        {}
        if let mark {
            throw CommandError(
                "the hash mark of record \(mark) follows it: it was executed and cannot be undone",
                repair: "correct it with a new command, as `boursectl debit`")
        }
        Terminal.warn(text ?? "record \(sequence)")
    }

    /// The note of two starts that died at this record, as `RecoveryMark` in the journal's sources
    /// draws it: 8 bytes of magic, then two little-endian sequences.
    private func checkMark(_ settings: Settings) throws {
        let path = Directory.join(settings.state, "recovery.mark")
        let bytes = (try? File(path, .read).read(count: 24)) ?? []
        let mark: (last: UInt64, before: UInt64)? = unsafe bytes.withUnsafeBytes { raw in
            guard raw.count == 24, unsafe raw.prefix(8).elementsEqual("BOURSEM1".utf8) else {
                return nil
            }
            var reader = unsafe WireReader(UnsafeRawBufferPointer(rebasing: raw[8...]))
            return (reader.integer(), reader.integer())
        }
        guard mark?.last == sequence, mark?.before == sequence else {
            throw CommandError(
                "no two starts of matchd died at record \(sequence)",
                repair: "start matchd: if a record stops it twice, it reports that record")
        }
    }

}
