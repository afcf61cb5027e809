// Standard output, whose buffer is the C library's.

internal import CLinux

/// What was written to standard output.
public enum StandardOutput {
    /// Writes what is buffered: fflush(3). Returns the first write that has failed, now or before;
    /// nil: all has left the process. Of one thread.
    public static func fault() -> SystemError? {
        let result = bourse_output_flush()
        guard result != 0 else { return nil }
        return SystemError(code: -result, operation: "write", path: "standard output")
    }
}
