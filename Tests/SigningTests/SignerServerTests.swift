// Goal: whatever a peer sends, or does not send, the signer answers the next one.

import Glibc
import Link
import Payments
import Platform
import SignerAPI
import Signing
import Terms
import Testing

@Suite struct SignerServerTests {
    private let request = SigningRequest(
        network: NetworkID(1), asset: AssetID(2), sequence: 3, withdrawals: [WithdrawalID(4)],
        transaction: [5, 6])

    private func server(_ directory: SignerDirectory) throws -> SignerServer {
        try SignerServer(directory.path + "/signer.sock", users: LinkUsers()) { _ in }
    }

    private func send(_ socket: Int32, _ bytes: [UInt8]) -> Int {
        unsafe Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// What a peer gets for these pieces; nil: the connection is still open, without an answer.
    private func reply(
        _ server: SignerServer, _ directory: SignerDirectory, _ pieces: [[UInt8]]
    ) throws -> [UInt8]? {
        let socket = try UnixSocket.connect(directory.path + "/signer.sock")
        defer { close(socket) }
        for piece in pieces {
            try turn(server)
            _ = send(socket, piece)
        }
        for _ in 0..<5 { try turn(server) }
        var bytes = [UInt8](repeating: 0, count: 500_000)
        let count = unsafe recv(socket, &bytes, bytes.count, 0)
        return count < 0 ? nil : Array(bytes[..<count])
    }

    private func turn(_ server: SignerServer) throws {
        try server.turn(milliseconds: 0) { .refused(.coins, "\($0.sequence)") }
    }

    private func answer(_ bytes: [UInt8]?) -> SigningAnswer? {
        bytes.flatMap { SignerLine.value($0, bytesMax: SigningAnswer.textBytesMax) }
            .flatMap(SigningAnswer.init)
    }

    @Test func `a request in any pieces has one answer`() throws {
        let directory = try SignerDirectory()
        let server = try server(directory)
        let line = SignerLine.bytes(request.json)
        for cut in line.indices {
            let pieces = [Array(line[..<cut]), Array(line[cut...])]
            #expect(answer(try reply(server, directory, pieces)) == .refused(.coins, "3"))
        }
        #expect(!server.isBusy)
    }

    @Test func `nonsense is refused, and the next request answered`() throws {
        let directory = try SignerDirectory()
        let server = try server(directory)
        let line = SignerLine.bytes(request.json)
        var numbers = SeededNumbers(1)
        for _ in 0..<300 {
            var bad = line
            for _ in 0..<Int.random(in: 1...4, using: &numbers) {
                let place = Int.random(in: bad.indices, using: &numbers)
                switch Int.random(in: 0...2, using: &numbers) {
                case 0: bad[place] = UInt8.random(in: .min ... .max, using: &numbers)
                case 1: bad.insert(UInt8.random(in: .min ... .max, using: &numbers), at: place)
                default: if bad.count > 1 { bad.remove(at: place) }
                }
            }
            _ = try reply(server, directory, [bad])
            #expect(answer(try reply(server, directory, [line])) == .refused(.coins, "3"))
        }
        for bad in [[10], Array("{}\n".utf8), Array("[]\n".utf8), line + line] {
            let said = answer(try reply(server, directory, [bad]))
            #expect(said == .refused(.malformed, "this is no request of a signature"))
        }
    }

    @Test func `a request that does not end is cut off`() throws {
        let directory = try SignerDirectory()
        let server = try server(directory)
        let piece = [UInt8](repeating: 0x20, count: 50_000)
        let count = SigningRequest.textBytesMax / piece.count + 2
        #expect(try reply(server, directory, Array(repeating: piece, count: count)) == [])
        #expect(try reply(server, directory, [[0x7B]]) == nil)
        try turn(server)
        #expect(!server.isBusy)
    }

    @Test func `silent peers hold nobody up for long, and are few`() throws {
        let directory = try SignerDirectory()
        let server = try server(directory)
        let silent = try (0..<SignerServer.connectionsMax).map { _ in
            try UnixSocket.connect(directory.path + "/signer.sock")
        }
        defer { for socket in silent { close(socket) } }
        for _ in silent { try turn(server) }
        // This one waits in the kernel's queue until their time is over.
        let socket = try UnixSocket.connect(directory.path + "/signer.sock")
        defer { close(socket) }
        _ = send(socket, SignerLine.bytes(request.json))
        let begin = Clock.monotonicNanos()
        var bytes = [UInt8](repeating: 0, count: 1_000)
        var count = -1
        while count < 0, Clock.monotonicNanos() < begin + 2 * SignerServer.peerNanosMax {
            try server.turn(milliseconds: 20) { _ in .refused(.coins, "") }
            count = unsafe recv(socket, &bytes, bytes.count, 0)
        }
        #expect(count > 0)
        #expect(Clock.monotonicNanos() >= begin + SignerServer.peerNanosMax * 9 / 10)
    }

    @Test func `the client takes an answer, and says why there is none`() throws {
        let directory = try SignerDirectory()
        let path = directory.path + "/signer.sock"
        let client = SignerClient(socket: path)
        #expect(throws: SignerError.absent(socket: path)) {
            _ = try client.ask(request, milliseconds: 100)
        }
        let payment = SignedPayment(
            network: NetworkID(1), asset: AssetID(2), withdrawals: [WithdrawalID(4)],
            transaction: .numbered(3),
            bytes: [UInt8](repeating: 7, count: Limits.transactionBytesMax))
        let thread = try PinnedThread.start(name: "signer") {
            guard let server = try? SignerServer(path, users: LinkUsers(), report: { _ in }) else {
                return
            }
            let end = Clock.monotonicNanos() + 20_000_000_000
            var isDone = false
            while !isDone || server.isBusy, Clock.monotonicNanos() < end {
                try? server.turn(milliseconds: 50) { _ in
                    isDone = true
                    return .signed(payment)
                }
            }
        }
        while !Directory.exists(path) { Clock.sleep(nanos: 1_000_000) }
        var largest = request
        largest.transaction = [UInt8](repeating: 1, count: Limits.transactionBytesMax)
        largest.previous = [
            [UInt8](repeating: 1, count: PreviousTransactions.totalBytesMax)
        ]
        #expect(try client.ask(largest, milliseconds: 10_000) == .signed(payment))
        thread.join()
        // A listener that takes no connection.
        let idle = try UnixSocket.listen(directory.path + "/idle.sock", mode: 0o600, backlog: 1)
        defer { close(idle) }
        #expect(throws: SignerError.self) {
            _ = try SignerClient(socket: directory.path + "/idle.sock")
                .ask(request, milliseconds: 50)
        }
    }
}
