// What only calls give, as texts below `/probe`: see `Observation` for their forms.

import Checks
internal import Glibc
import Platform

/// A source of texts that are no files. Its calls may take long, and may hang: the reader's thread
/// makes them.
public protocol HostProbe: Sendable {
    /// The paths that its texts have, or stand below, as `/probe/clock`.
    var places: [String] { get }
    /// The text of a path; nil when it cannot be had.
    func text(_ path: String) -> String?
    /// The names below a path; nil when there are none.
    func names(_ directory: String) -> [String]?
    /// Whether it has been read at least once: before, an absent text means nothing.
    var hasAsked: Bool { get }
}

extension HostProbe {
    /// None: the names are known from elsewhere.
    public func names(_ directory: String) -> [String]? { nil }
    /// It has no cache.
    public var hasAsked: Bool { true }
}

/// adjtimex(2), and the clocks beside it: `/probe/clock`.
struct ClockProbe: HostProbe {
    var places: [String] { [ClockReading.path] }

    func text(_ path: String) -> String? {
        guard let discipline = try? Host.clockDiscipline() else { return nil }
        return ClockReading.text(
            discipline: discipline, realtimeNanos: Clock.realtimeNanos(),
            monotonicNanos: Clock.monotonicNanos())
    }
}

/// The file systems of the directories whose space matters: `/probe/statvfs`.
struct FileSystemProbe: HostProbe {
    let directories: [String]
    var places: [String] { [FileSystemSpace.path] }

    func text(_ path: String) -> String? {
        let mounts = HostFiles.mountPoints()
        let lines = directories.compactMap { directory -> String? in
            guard let place = Self.reachable(directory, mounts),
                let found = try? Host.fileSystem(place)
            else { return nil }
            return FileSystemSpace(
                directory: directory, bytes: found.bytes, freeBytes: found.free,
                inodes: found.inodes, freeInodes: found.freeInodes
            ).line
        }
        return lines.isEmpty ? nil : lines.joined()
    }

    /// The directory itself, or where it is not there yet, or hidden from this user, the nearest
    /// above it that is on the same file system; nil where that is not known.
    static func reachable(_ directory: String, _ mounts: [String]) -> String? {
        var place = directory
        while (try? Host.fileSystem(place)) == nil {
            // What is mounted here has its own space, whatever is above it.
            guard !mounts.contains(place), let parent = Directory.parent(of: place), parent != place
            else { return nil }
            place = parent
        }
        return place
    }
}

/// The program that switches the other host's power off: `/probe/fencing`.
struct FencingProbe: HostProbe {
    let program: String?
    var places: [String] { [FencingReading.path] }

    func text(_ path: String) -> String? {
        guard let program else { return nil }
        do throws(SystemError) {
            let fault = try TrustedProgram.fault(program)
            return (fault.map { FencingReading.fault($0) } ?? .trusted).text
        } catch { return nil }
    }
}

/// What network interfaces say of themselves: `/probe/ethtool/NIC/TOPIC`.
struct EthernetProbe: HostProbe {
    var places: [String] { [EthernetReading.directory] }

    func text(_ path: String) -> String? {
        guard let (nic, topic) = EthernetReading.subject(path),
            let text = try? Host.ethernet(nic, topic), !text.isEmpty
        else { return nil }
        return text
    }
}
