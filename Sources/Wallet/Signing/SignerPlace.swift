// The places of a signer, and the files that reveal the loss of one.
//
//   STATE/signed          what it signed; see `SignedList`
//   STATE/signed.floor    how much of that was made durable; see `SignedFloor`
//   STATE/signed.torn     the last write that was cut off
//   STATE/signed.forgotten  what an operator took out of the list, a line of JSON each
//   STATE/followed        the log's state as it was followed; see `FollowedState`
//   CONFIGURATION/signer.id   the identity of the list, beside bourse.toml

internal import Journal
public import Platform
public import Terms

/// Why the list of signed payments cannot be used. No restart helps, unless a system call failed.
public enum SignedListError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A failed system call.
    case system(SystemError)
    /// There is a list, or its identity, already.
    case exists(path: String)
    /// No list has begun: its identity is missing.
    case notBegun(identityFile: String)
    /// The identity of a list that has begun is missing.
    case identityLost(identityFile: String, path: String)
    /// The list is missing where its identity says that there is one.
    case missing(path: String, identityFile: String)
    /// It is another list than the one that has begun here.
    case otherIdentity(path: String, identityFile: String)
    /// A file does not hold what it should.
    case damaged(path: String, detail: String)
    /// It has no such transaction.
    case unknown(TransactionID, path: String)
    /// It could not be written.
    case notWritten(path: String, String)

    /// What happened, and what to do.
    public var description: String {
        switch self {
        case .system(let error): error.description
        case .exists(let path):
            "\(path) exists: a list of signed payments has begun here already. A second one would "
                + "not know what the first has signed"
        case .notBegun(let file):
            "\(file) is missing: no list of signed payments has begun here. A new wallet's begins "
                + "with `bourse-signerd --begin`; if this wallet has signed anything before, "
                + "restore that file and the list"
        case .identityLost(let file, let path):
            "\(file) is missing, and \(path) says that a list of signed payments has begun: "
                + "restore that file from a copy of the configuration; no second list may begin"
        case .missing(let path, let file):
            "\(path) is missing, and \(file) says that it began: is its volume mounted? Without "
                + "it nothing is signed, for a withdrawal could be paid twice"
        case .otherIdentity(let path, let file):
            "\(path) is another list than \(file) says: is the right volume mounted?"
        case .damaged(let path, let detail):
            "\(path) \(detail): nothing is signed, for a withdrawal could be paid twice. Restore "
                + "the newest copy of it and signed.floor only if nothing was signed since"
        case .unknown(let transaction, let path):
            "\(path) has no transaction \(transaction.hex): see `bourse-signerd --check`"
        case .notWritten(let path, let why): "\(path) is not written: \(why)"
        }
    }
}

/// The files of one signer.
public struct SignerPlace: Hashable, Sendable {
    /// The state directory.
    public let directory: String
    /// The list's identity, outside of that directory.
    public let identityFile: String
    /// What was signed.
    public var listFile: String { Directory.join(directory, "signed") }
    /// How much of it was made durable.
    public var floorFile: String { Directory.join(directory, "signed.floor") }
    /// What was cut off.
    public var tornFile: String { Directory.join(directory, "signed.torn") }
    /// What was taken out.
    public var forgottenFile: String { Directory.join(directory, "signed.forgotten") }
    /// The log's state.
    public var followedFile: String { Directory.join(directory, "followed") }

    /// The files in `directory`; the identity is beside the file `configuration`.
    public init(directory: String, configuration: String) {
        self.directory = directory
        identityFile = Directory.join(Directory.parent(of: configuration) ?? ".", "signer.id")
    }

    /// The identity outside of the directory.
    func keptIdentity() throws(SignedListError) -> JournalIdentity {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try File(identityFile, .read).read(count: 64) } catch {
            guard error.isMissing else { throw .system(error) }
            if let path = try usedFile() {
                throw .identityLost(identityFile: identityFile, path: path)
            }
            throw .notBegun(identityFile: identityFile)
        }
        let text = String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
        guard let identity = JournalIdentity(text) else {
            throw .damaged(path: identityFile, detail: "does not hold an identity")
        }
        return identity
    }

    /// The file of a list that may have been used; nil: there is none, or only what a `begin` left
    /// behind that was cut off. Nothing is added to a list before it was written anew, and without
    /// its identity it never is.
    private func usedFile() throws(SignedListError) -> String? {
        guard Directory.exists(listFile) else {
            return Directory.exists(floorFile) ? floorFile : nil
        }
        let content: [UInt8]
        do throws(SystemError) {
            content = try File(listFile, .read).read(count: SignedFrame.textBytesMax)
        } catch { throw .system(error) }
        guard content.starts(with: SignedList.magic),
            let first = SignedFrame.read(content, at: SignedList.magic.count),
            first.end == content.count, let base = SignedBase(first.json), base.generation == 0
        else { return listFile }
        return nil
    }

    /// Begins an empty list, with the owner of the directory, which is made where there is none.
    public func begin() throws(SignedListError) {
        if Directory.exists(identityFile) { throw .exists(path: identityFile) }
        if let path = try usedFile() { throw .exists(path: path) }
        let identity = JournalIdentity.random()
        let base = SignedBase(identity: identity)
        do throws(SystemError) {
            if !Directory.exists(directory) { try Directory.create(directory) }
            let owner = try File(directory, .read)
            let content = SignedList.magic + SignedFrame.bytes(base.json)
            var floor = SignedFloor(identity: identity, generation: 0, bytes: content.count)
            for (path, bytes) in [(listFile, content), (floorFile, floor.firstContent)] {
                // Whole or not at all: half a list would be one that may have been used.
                try File.replace(path) { file throws(SystemError) in
                    try file.setOwner(like: owner)
                    try file.write(bytes)
                }
            }
            // Last: what was cut off before is no list that has begun.
            try File.replace(identityFile, with: Array("\(identity)\n".utf8), mode: 0o644)
        } catch { throw .system(error) }
    }
}
