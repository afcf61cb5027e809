// Goal: a file is replaced as a whole or not at all, a system call outlives a signal, and a socket
// is reached whatever the length of its path.

import Glibc
import Platform
import Testing

@Suite struct FileReplacementTests {
    private let place: TestDirectory
    private let path: String

    init() throws {
        place = try TestDirectory()
        path = Directory.join(place.path, "a")
    }

    private func content() throws -> String {
        String(decoding: try File(path, .read).read(count: 64), as: UTF8.self)
    }

    @Test func `a file is made, then replaced, with the mode that is given`() throws {
        try File.replace(path, with: Array("old".utf8), mode: 0o644)
        #expect(try content() == "old")
        #expect(try File(path, .read).permissions() == 0o644)
        try File.replace(path, with: Array("n".utf8))
        #expect(try content() == "n")
        #expect(try File(path, .read).permissions() == 0o600)
        #expect(try Directory.names(in: place.path) == ["a"])
    }

    @Test func `after an error only the old file remains`() throws {
        try File.replace(path, with: Array("old".utf8))
        #expect(throws: SystemError.full("write", "b")) {
            try File.replace(path) { file throws(SystemError) in
                try file.write(Array("half".utf8))
                throw .full("write", "b")
            }
        }
        #expect(try content() == "old")
        #expect(try Directory.names(in: place.path) == ["a"])
    }

    @Test func `a file that is created replaces none, nor a link`() throws {
        try File.create(path, with: Array("first".utf8))
        #expect(try File(path, .read).permissions() == 0o600)
        let other = Directory.join(place.path, "b")
        let made = unsafe symlink("nowhere", other)
        #expect(made == 0)
        for taken in [path, other, place.path] {
            let error = #expect(throws: SystemError.self) {
                try File.create(taken, with: Array("second".utf8))
            }
            #expect(error?.code == EEXIST)
        }
        #expect(try content() == "first")
        #expect(try Directory.names(in: place.path) == ["a", "b"])
        let parent = try #require(Directory.parent(of: place.path))
        let name = place.path.dropFirst(parent.utf8.count + 1)
        #expect(try Directory.names(in: parent).filter { $0.hasPrefix(name + ".new") } == [])
    }

    @Test func `what a crash left beside it is overwritten`() throws {
        let left = try File(path + ".new", .create)
        try left.write(Array("a longer text".utf8))
        try left.setPermissions(0o666)
        try File.replace(path, with: Array("new".utf8))
        #expect(try content() == "new")
        #expect(try File(path, .read).permissions() == 0o600)
        #expect(try Directory.names(in: place.path) == ["a"])
    }

    @Test(.enabled(if: Host.userID == 0))
    func `it can keep its owner`() throws {
        try File(path, .create).setOwner(7, group: 7)
        try File.replace(path, with: [1], keepsOwner: true)
        #expect(try File(path, .read).owner() == 7)
        try File.replace(path, with: [2])
        #expect(try File(path, .read).owner() == 0)
    }

    @Test func `a file and its spare exchange names, whatever was there in its place`() throws {
        try File.replace(path, with: Array("one".utf8), mode: 0o640)
        try File.exchange(path, with: Array("the second".utf8))
        #expect(try content() == "the second")
        #expect(try Directory.names(in: place.path) == ["a", "a.spare"])
        let spare = path + ".spare"
        #expect(try File(spare, .read).read(count: 9) == Array("one".utf8))
        try File.exchange(path, with: Array("3".utf8))
        #expect(try content() == "3")
        #expect(try File(path, .read).permissions() == 0o640)
        // A link is not followed.
        let outside = place.file("outside")
        try File(outside, .create).write([7])
        try Directory.remove(spare)
        #expect(unsafe symlink(outside, spare) == 0)
        try File.exchange(path, with: Array("four".utf8))
        #expect(try content() == "four")
        #expect(try File(outside, .read).read(count: 9) == [7])
        try Directory.remove(spare)
        #expect(unsafe mkfifo(spare, 0o600) == 0)
        try File.exchange(path, with: Array("five".utf8))
        #expect(try content() == "five")
        // Nor is what another name stands for written to, as in a copy by hard links.
        #expect(unsafe link(spare, place.file("copied")) == 0)
        try File.exchange(path, with: Array("six".utf8))
        #expect(try content() == "six")
        let copied = try File(place.file("copied"), .read)
        #expect(try copied.read(count: 9) == Array("four".utf8))
        try Directory.remove(place.file("copied"))
        // A file that is not there is made, without a spare of it.
        try File.exchange(place.file("b"), with: [1])
        #expect(try Directory.names(in: place.path) == ["a", "a.spare", "b", "outside"])
    }

    @Test(.enabled(if: Host.userID == 0))
    func `a file with a spare keeps its owner`() throws {
        try File(path, .create).setOwner(7, group: 7)
        for byte in 1...3 {
            try File.exchange(path, with: [UInt8(byte)])
            #expect(try File(path, .read).owner() == 7)
        }
    }

    @Test func `a pipe is read to its end, and not far beyond what it may hold`() throws {
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        #expect(unsafe write(ends[1], "abc", 3) == 3)
        close(ends[1])
        #expect(
            try File.readToEnd(ends[0], path: "pipe", bytesMax: 9) == Array("abc".utf8))
        close(ends[0])
        let zeros = try File("/dev/zero", .read)
        let bytes = try File.readToEnd(zeros.descriptor, path: "zeros", bytesMax: 20_000)
        #expect(bytes.count > 20_000 && bytes.count < 60_000)
    }
}

@Suite struct InterruptTests {
    @Test func `an interrupted call is repeated`() {
        var calls = 0
        let result = retryingInterrupts { () -> Int in
            calls += 1
            errno = EINTR
            return calls < 3 ? -1 : 5
        }
        #expect(result == 5 && calls == 3)
    }

    @Test func `a call with another error is not repeated`() {
        var calls = 0
        let result = retryingInterrupts { () -> Int32 in
            calls += 1
            errno = EAGAIN
            return -1
        }
        #expect(result == -1 && calls == 1)
    }
}

@Suite struct UnixSocketTests {
    private let place: TestDirectory

    init() throws { place = try TestDirectory() }

    @Test(arguments: [1, 80, 120, 250])
    func `a socket is reached whatever the length of its path`(length: Int) throws {
        let directory = Directory.join(place.path, String(repeating: "d", count: length))
        try Directory.create(directory)
        let path = Directory.join(directory, "s.sock")
        let listener = try UnixSocket.listen(path, mode: 0o600, backlog: 4)
        let client = try UnixSocket.connect(path, waits: true)
        let other = try UnixSocket.connect(path)
        for descriptor in [listener, client, other] {
            #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK != 0)
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
        }
        #expect(throws: SystemError(code: EADDRINUSE, operation: "listen on", path: path)) {
            try UnixSocket.listen(path, mode: 0o600, backlog: 4)
        }
        for descriptor in [listener, client, other] { close(descriptor) }
        // Nobody listens there any more.
        #expect(throws: SystemError(code: ECONNREFUSED, operation: "connect to", path: path)) {
            try UnixSocket.connect(path)
        }
        close(try UnixSocket.listen(path, mode: 0o600, backlog: 4))
    }

    @Test func `a listener that is full is not taken for a dead one`() throws {
        let path = Directory.join(place.path, "s.sock")
        let listener = try UnixSocket.listen(path, mode: 0o600, backlog: 0)
        var clients: [Int32] = []
        while let client = try? UnixSocket.connect(path) { clients.append(client) }
        #expect(throws: SystemError(code: EAGAIN, operation: "connect to", path: path)) {
            try UnixSocket.connect(path)
        }
        #expect(throws: SystemError(code: EADDRINUSE, operation: "listen on", path: path)) {
            try UnixSocket.listen(path, mode: 0o600, backlog: 4)
        }
        for descriptor in clients + [listener] { close(descriptor) }
    }

    @Test func `a missing socket is reported`() {
        let path = Directory.join(place.path, "none/s.sock")
        #expect(throws: SystemError(code: ENOENT, operation: "connect to", path: path)) {
            try UnixSocket.connect(path)
        }
        #expect(throws: SystemError.self) {
            try UnixSocket.connect("/" + String(repeating: "n", count: 300))
        }
    }
}
