// The log's records for people and programs. Prices, quantities and amounts stay in ticks, lots and
// smallest units, since a record alone does not say what those are worth.

package import JSON
import Terms
package import Wire

/// A record as text.
package struct RecordText: Hashable, Sendable {
    /// The record's header.
    package let header: RecordHeader
    /// Its command, or nil where the payload is malformed.
    package let command: Command?

    /// The record in `bytes`; nil where they are shorter than a header.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard let header = unsafe RecordHeader(bytes) else { return nil }
        self.header = header
        guard let kind = CommandKind(rawValue: header.kind) else {
            command = nil
            return
        }
        let end = min(Int(header.length), bytes.count)
        let body = unsafe bytes[min(RecordHeader.size, end)..<end]
        command = unsafe Command(kind: kind, payload: UnsafeRawBufferPointer(rebasing: body))
    }

    /// A record of this header and command.
    package init(header: RecordHeader, command: Command) {
        (self.header, self.command) = (header, command)
    }

    /// The kind's name; `kind N` for a kind unknown to this version.
    package var kindName: String {
        CommandKind(rawValue: header.kind).map { "\($0)" } ?? "kind \(header.kind)"
    }

    /// One object: `sequence time epoch session number kind`, then the command's own fields.
    package func json(voided: Bool) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("sequence", .number(header.sequence)),
            .init("time", .string(Readable.time(header.timestamp))),
            .init("epoch", .number(header.epoch)), .init("session", .number(header.session.number)),
            .init("number", .number(header.number)), .init("kind", .string(kindName)),
        ]
        if voided { members.append(.init("voided", .bool(true))) }
        members += fields
        return .object(members)
    }

    /// One line: sequence, time, session and number, kind, then the fields as `name=value`.
    package func line(voided: Bool) -> String {
        let writer = header.session.number == 0 ? "-" : "\(header.session.number)/\(header.number)"
        var parts = ["\(header.sequence)", Readable.time(header.timestamp), writer, kindName]
        if voided { parts.append("VOIDED") }
        for field in fields {
            if case .string(let text) = field.value {
                parts.append("\(field.name)=\(Self.quoted(text))")
            } else {
                parts.append("\(field.name)=\(field.value.compact)")
            }
        }
        return parts.joined(separator: " ")
    }

    private static func quoted(_ text: String) -> String {
        text.contains(" ") || text.isEmpty ? JSONValue.string(text).compact : Table.printable(text)
    }

    private var fields: [JSONValue.Member] {
        guard let command else { return [.init("malformed", .bool(true))] }
        return command.fields
    }
}
