// Exit statuses of daemons.

/// Exit statuses of daemons; 0 is a requested stop.
public enum DaemonExit {
    /// A fault; the last line of the log says which.
    public static var fault: Int32 { 1 }
    /// Another host leads, or records have to be cut: the next start follows (EX_TEMPFAIL).
    public static var follow: Int32 { 75 }
    /// A wrong command line (EX_USAGE, sysexits.h).
    public static var usage: Int32 { 64 }
    /// The journal needs an operator: it is damaged, missing, or on a failed disk. A restart does
    /// not help.
    public static var journal: Int32 { 76 }
    /// A wrong configuration (EX_CONFIG).
    public static var configuration: Int32 { 78 }
}
