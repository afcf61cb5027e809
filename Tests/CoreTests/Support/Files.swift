// Files beside the tests.

import Glibc

/// A file beside these tests' sources.
func testFile(_ name: String) -> String {
    let here = #filePath
    let folder = here.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
    return (folder + [name[...]]).joined(separator: "/")
}

/// All bytes of a file; none where it cannot be read.
func readBytes(_ path: String) -> [UInt8] {
    guard let file = unsafe fopen(path, "r") else { return [] }
    defer { unsafe fclose(file) }
    var bytes: [UInt8] = []
    while true {
        let byte = unsafe fgetc(file)
        if byte == EOF { return bytes }
        bytes.append(UInt8(byte))
    }
}

func readText(_ path: String) -> String { String(decoding: readBytes(path), as: UTF8.self) }

func writeBytes(_ path: String, _ bytes: [UInt8]) {
    guard let file = unsafe fopen(path, "w") else { return }
    for byte in bytes { unsafe fputc(Int32(byte), file) }
    unsafe fclose(file)
}

func writeText(_ path: String, _ text: String) { writeBytes(path, Array(text.utf8)) }
