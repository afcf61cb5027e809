// Whether root may run a program that an owner names.

internal import Glibc

/// A program that nobody but root can replace.
public enum TrustedProgram {
    /// Why root must not run the program at this absolute path; nil: it may. The file is
    /// executable, root's, and no other user may write it or to a directory above it, of the path
    /// as given and of the one behind symbolic links.
    ///
    /// Throws where this user may not look.
    public static func fault(_ path: String) throws(SystemError) -> String? {
        guard let found = try look(path) else { return "\(path) does not exist" }
        guard found.st_mode & S_IFMT == S_IFREG, found.st_mode & 0o111 != 0 else {
            return "\(path) is no executable file"
        }
        if let fault = fault(found, path) { return fault }
        for start in [path, real(path)] {
            var place = start
            while let parent = Directory.parent(of: place), parent != place {
                guard let above = try look(parent) else { return "\(parent) does not exist" }
                // In a sticky directory as /tmp nobody replaces what another user has there.
                let isSticky = above.st_mode & S_ISVTX != 0
                if let fault = fault(above, parent, isSticky: isSticky) { return fault }
                place = parent
            }
        }
        return nil
    }

    private static func fault(
        _ status: stat, _ path: String, isSticky: Bool = false
    ) -> String? {
        if status.st_uid != 0 { return "\(path) is not root's, but of user \(status.st_uid)" }
        if !isSticky, status.st_mode & 0o022 != 0 {
            return "others than root may write \(path)"
        }
        return nil
    }

    /// What is there; nil: nothing.
    private static func look(_ path: String) throws(SystemError) -> stat? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            if errno == ENOENT { return nil }
            throw .last("look at", path)
        }
        return status
    }

    /// The path without symbolic links.
    private static func real(_ path: String) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }
}
