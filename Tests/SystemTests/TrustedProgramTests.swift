// Goal: root runs no program that another user could replace, by whatever way.

import Glibc
import Platform
import Testing

/// They need root, as its files are what is judged.
@Suite(.enabled(if: getuid() == 0)) struct TrustedProgramTests {
    private let place: TestDirectory
    private let program: String

    init() throws {
        place = try TestDirectory()
        try Directory.create(place.file("inner"))
        program = place.file("inner/fence")
        try File.replace(program, with: Array("#!/bin/sh\n".utf8), mode: 0o700)
    }

    private func mode(_ path: String, _ mode: UInt32) { #expect(unsafe chmod(path, mode) == 0) }
    private func owner(_ path: String, _ user: UInt32) {
        #expect(unsafe chown(path, user, 0) == 0)
    }

    @Test func `a program of root's alone is one`() throws {
        for fine in [0o700, 0o755, 0o4755] {
            mode(program, UInt32(fine))
            #expect(try TrustedProgram.fault(program) == nil)
        }
    }

    @Test func `what is none says why`() throws {
        let none = place.file("inner/none")
        #expect(try TrustedProgram.fault(none) == "\(none) does not exist")
        let inner = place.file("inner")
        #expect(try TrustedProgram.fault(inner) == "\(inner) is no executable file")
        mode(program, 0o644)
        #expect(try TrustedProgram.fault(program) == "\(program) is no executable file")
        for written in [0o722, 0o702, 0o720, 0o777] {
            mode(program, UInt32(written))
            #expect(try TrustedProgram.fault(program) == "others than root may write \(program)")
        }
        mode(program, 0o755)
        owner(program, 4_711)
        #expect(try TrustedProgram.fault(program) == "\(program) is not root's, but of user 4711")
    }

    @Test func `a directory above it is not for others to write`() throws {
        let inner = place.file("inner")
        for written in [0o777, 0o770, 0o702] {
            mode(inner, UInt32(written))
            #expect(try TrustedProgram.fault(program) == "others than root may write \(inner)")
        }
        mode(inner, 0o1777)
        #expect(try TrustedProgram.fault(program) == nil)
        owner(inner, 4_711)
        #expect(try TrustedProgram.fault(program) == "\(inner) is not root's, but of user 4711")
        owner(inner, 0)
        mode(place.path, 0o777)
        #expect(try TrustedProgram.fault(program) == "others than root may write \(place.path)")
    }

    @Test func `a symbolic link is judged at both ends`() throws {
        let inner = place.file("inner")
        try Directory.create(place.file("links"))
        let link = place.file("links/fence")
        #expect(unsafe symlink(program, link) == 0)
        #expect(try TrustedProgram.fault(link) == nil)
        mode(inner, 0o777)
        #expect(try TrustedProgram.fault(link) == "others than root may write \(inner)")
        mode(inner, 0o755)
        mode(place.file("links"), 0o777)
        #expect(
            try TrustedProgram.fault(link) == "others than root may write \(place.file("links"))")
    }
}
