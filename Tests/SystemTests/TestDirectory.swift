// A directory for the files of a test.

import Glibc
import Platform

/// A directory that goes away with its owner.
final class TestDirectory {
    let path: String

    init() throws {
        var template = Array("/var/tmp/bourse-test-XXXXXX".utf8CString)
        let made = unsafe mkdtemp(&template)
        guard unsafe made != nil else { throw SystemError.last("make a directory in", "/var/tmp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    func file(_ name: String) -> String { Directory.join(path, name) }

    private static func remove(_ path: String) {
        for name in (try? Directory.names(in: path)) ?? [] {
            let entry = Directory.join(path, name)
            if Directory.isDirectory(entry) { remove(entry) } else { _ = unsafe unlink(entry) }
        }
        unsafe rmdir(path)
    }
}
