// Directories and the names in them.

internal import CLinux
internal import Glibc

/// Operations on directories and names. Paths are UTF-8.
public enum Directory {
    /// Makes the directory `path` with `mode`, and those above it; one that exists is left as it
    /// is.
    public static func create(_ path: String, mode: UInt32 = 0o700) throws(SystemError) {
        if unsafe mkdir(path, mode) == 0 { return }
        let code = errno
        if code == EEXIST, isDirectory(path) { return }
        if code == ENOENT, let parent = parent(of: path), parent != path {
            try create(parent, mode: mode)
            if unsafe mkdir(path, mode) == 0 || errno == EEXIST { return }
            throw .last("create directory", path)
        }
        throw SystemError(code: code, operation: "create directory", path: path)
    }

    /// The parent directory of `path`; nil for a bare name and for `/`.
    public static func parent(of path: String) -> String? {
        var bytes = Array(path.utf8)
        while bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")), bytes.count > 1 else {
            return nil
        }
        return slash == 0 ? "/" : String(decoding: bytes[..<slash], as: UTF8.self)
    }

    /// `name` within `directory`; `name` itself if it starts with `/`.
    public static func join(_ directory: String, _ name: String) -> String {
        if name.utf8.first == UInt8(ascii: "/") || directory.isEmpty { return name }
        return directory.utf8.last == UInt8(ascii: "/") ? directory + name : directory + "/" + name
    }

    /// The names in a directory, sorted by their bytes, without `.` and `..`.
    public static func names(in path: String) throws(SystemError) -> [String] {
        guard let directory = unsafe bourse_directory_open(path) else {
            throw .last("read directory", path)
        }
        defer { unsafe bourse_directory_close(directory) }
        var names: [String] = []
        var buffer = [CChar](repeating: 0, count: 1024)
        while true {
            let result = unsafe buffer.withUnsafeMutableBufferPointer {
                unsafe bourse_directory_next(directory, $0.baseAddress!, $0.count)
            }
            guard try checked(result, "read directory", path) == 1 else { break }
            let name = String(
                decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Makes the entries of a directory durable.
    public static func sync(_ path: String) throws(SystemError) {
        let fd = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { throw .last("open directory", path) }
        defer { _ = close(fd) }
        guard fsync(fd) == 0 else { throw .last("sync directory", path) }
    }

    /// Renames a file, replacing an existing one, and makes the name durable.
    public static func rename(_ old: String, to new: String) throws(SystemError) {
        guard unsafe Glibc.rename(old, new) == 0 else { throw .last("rename", old) }
        try sync(parent(of: new) ?? ".")
    }

    /// Gives two files each other's name, atomically, and makes the names durable. Where the file
    /// system can't, `one` replaces `other`.
    public static func exchange(_ one: String, with other: String) throws(SystemError) {
        let result = unsafe bourse_exchange(one, other)
        if result == -EINVAL || result == -ENOSYS { return try rename(one, to: other) }
        _ = try checked(result, "rename", one)
        try sync(parent(of: other) ?? ".")
    }

    /// Gives the file `made` the name `path` instead of its own. An existing file is never
    /// replaced, also where it is made meanwhile (EEXIST, link(2)). The name is durable when this
    /// returns.
    public static func place(_ made: String, at path: String) throws(SystemError) {
        guard unsafe link(made, path) == 0 else { throw .last("create", path) }
        _ = unsafe unlink(made)
        try sync(parent(of: path) ?? ".")
    }

    /// Removes a file and makes that durable; a missing one is no error.
    public static func remove(_ path: String) throws(SystemError) {
        guard unsafe unlink(path) == 0 else {
            if errno == ENOENT { return }
            throw .last("remove", path)
        }
        try sync(parent(of: path) ?? ".")
    }

    /// Whether there is anything at `path`.
    public static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Whether `path` is a directory.
    public static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Bytes that this user may still write to the file system of `path`.
    public static func freeBytes(_ path: String) throws(SystemError) -> Int {
        var status = statvfs()
        guard unsafe statvfs(path, &status) == 0 else { throw .last("ask for free space of", path) }
        let (bytes, overflow) = Int(clamping: status.f_bavail)
            .multipliedReportingOverflow(by: Int(clamping: status.f_frsize))
        return overflow ? .max : bytes
    }
}
