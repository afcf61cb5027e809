// Goal: what a probe writes is what checks and tables read, whatever names are in it; and no text
// makes a codec trap.

import Agent
import AgentAPI
import Checks
import HelperAPI
import JSON
import Terms
import Testing

@Suite struct ProbeTests {
    /// What checks and the state find of a directory whose space a probe wrote.
    private func space(_ line: String, of directory: String) -> (
        Finding?, HostTables.DirectorySpace?
    ) {
        var plan = HostPlan()
        plan.directories = [("journal", directory)]
        let machine = Machine(now: ["/probe/statvfs": line], before: [:], plan: plan)
        let seen = Machine.observation(1, machine.now, CheckCatalog.groups[0], plan)
        var all = seen
        all.set("/probe/statvfs", line)
        let rows = HostState(now: all, before: nil, plan: plan).directories
        return (machine.findings.first { $0.name == "disk.space/journal" }, rows.first)
    }

    @Test(arguments: [
        "/srv/bourse", "/srv/my disk", "/srv/two  spaces", "/srv/tab\there", "/srv/back\\040slash",
        "/srv/line\nbreak", "/srv/1 2 3 4", "/ ", "/srv/ü ☃",
    ])
    func `checks and state read the space of any directory`(directory: String) {
        let line = FileSystemSpace(
            directory: directory, bytes: 1_000, freeBytes: 250, inodes: 100, freeInodes: 90
        ).line
        #expect(line.count(where: \.isNewline) == 1)
        let (finding, row) = space(line, of: directory)
        #expect(finding?.value == 75)
        #expect(row?.path == directory)
        #expect(row?.freeBytes == 250)
    }

    @Test func `a directory with spaces is read from a tree that was recorded earlier`() {
        let (finding, row) = space("/srv/my disk 1000 250 100 90\n", of: "/srv/my disk")
        #expect(finding?.value == 75)
        #expect(row?.bytes == 1_000)
    }

    @Test(arguments: [
        "/srv/x 1000 250 100\n", "/srv/x 1000 250 100 \n", "1000 250 100 90\n",
        "/srv/x 1000 250 100 -1\n", "/srv/x +1000 250 100 90\n",
        "/srv/x 1000 250 100 99999999999999999999999\n", "/srv/x\n", "\n", "/srv/x 1 2 3 4 x\n",
    ])
    func `a truncated line or one without numbers is ignored`(line: String) {
        let (finding, row) = space(line, of: "/srv/x")
        #expect(finding?.state == .unknown)
        #expect(row == nil)
    }

    @Test func `space and inodes without end are not full`() {
        let most = UInt64.max
        let line = FileSystemSpace(
            directory: "/x", bytes: most, freeBytes: most, inodes: most, freeInodes: most
        ).line
        let (finding, row) = space(line, of: "/x")
        #expect(finding?.value == 0)
        #expect(row?.inodes == .max)
    }

    @Test func `mounts are found below paths with escaped characters`() {
        let mounts = Mount.table(
            """
            /dev/sda1 / ext4 rw,relatime 0 0
            /dev/sdb1 /srv/my\\040disk xfs ro,relatime 0 0
            /dev/sdc1 /srv/tab\\011new\\012line\\134back ext4 rw 0 0
            short /srv/short
            /dev/sdd1 /srv/my\\040disk xfs rw 0 0
            """)
        #expect(mounts.count == 4)
        #expect(Mount.holding("/srv/my disk/journal", in: mounts)?.device == "/dev/sdd1")
        #expect(Mount.holding("/srv/my diskette", in: mounts)?.point == "/")
        #expect(Mount.holding("/srv/tab\tnew\nline\\back", in: mounts)?.device == "/dev/sdc1")
        #expect(Mount.holding("/srv", in: []) == nil)
    }

    @Test func `a unit decodes to what was encoded`() {
        var unit = UnitStatus(
            "bourse-matchd.service",
            (load: "loaded", active: "active", sub: "running", process: 812))
        (unit.restarts, unit.watchdogMicros, unit.sinceMicros) = (2, 5_000_000, 1_700)
        (unit.memoryBytes, unit.cpuNanos) = (UnitStatus.known(.max), .max)
        unit.status = "serving  2 gateways at /run/a b"
        let read = UnitStatus.table(unit.line)["bourse-matchd.service"]
        #expect(read == unit)
        #expect(read?.memoryBytes == nil)
        // Fields behind the seventh, which boursectl does not ask for, may be missing.
        #expect(UnitStatus.table("x.service loaded active running 1 0 -\n")["x.service"] != nil)
        #expect(UnitStatus.table("x.service loaded active running 1 0\n").isEmpty)
        #expect(UnitStatus.table("x.service loaded active running 5000000 0 0\n").isEmpty)
    }

    @Test func `a status of several lines stays in one`() {
        var unit = UnitStatus(
            "a.service", (load: "l", active: "a", sub: "s", process: 1))
        unit.status = "one\ntwo three"
        let table = UnitStatus.table(unit.line + "b.service loaded active running 1 0 0\n")
        #expect(table.count == 2)
        #expect(table["a.service"]?.status == "one two three")
    }

    @Test func `a disk whose name has a slash is found by its name in sysfs`() {
        let text = "   8       0 cciss/c0d0 10 0 80 7 20 0 160 9 0 5 16 0 0 0 0 3 4\n 8 1 sda1 1\n"
        let table = DiskStatistics.table(text)
        #expect(table["cciss!c0d0"]?.writes.count == 20)
        #expect(table["cciss!c0d0"]?.writes.millis == 9)
        #expect(table["cciss!c0d0"]?.flushes.count == 3)
        #expect(table["cciss!c0d0"]?.flushes.millis == 4)
        #expect(table["cciss!c0d0"]?.busyMillis == 5)
        // A line that is cut short has what it has, and nothing else.
        #expect(table["sda1"]?.reads.count == 1)
        #expect(table["sda1"]?.reads.millis == nil)
        #expect(table["sda1"]?.writes.count == nil)
    }

    @Test func `a thread is found by a name of which the kernel keeps fifteen bytes`() throws {
        let text = "Name:\ta name that is \nCpus_allowed_list:\t2\nvoluntary_ctxt_switches:\t7\n"
        let thread = try #require(ThreadStatus(text))
        #expect(thread.isNamed("a name that is long"))
        #expect(!thread.isNamed("a name that was"))
        #expect(thread.allowed == CPUSet([2]))
        #expect(thread.voluntary == 7)
        #expect(thread.involuntary == nil)
        let odd = try #require(ThreadStatus("Name:\tx\\\\n\\ny\n"))
        #expect(odd.name == "x\\n\ny")
        #expect(ThreadStat.lastCPU("7 (a) b) (c)) S" + String(repeating: " 5", count: 40)) == 5)
        #expect(ThreadStat.lastCPU("7 (a S 1 2 3") == nil)
    }

    @Test func `state and check hold a thread with a long name to its CPU alike`() {
        var plan = HostPlan()
        plan.units = ["bourse-matchd.service"]
        plan.hotThreads = [
            HostPlan.HotThread(
                unit: "bourse-matchd.service", thread: "engine-of-the-exchange", cpu: 2)
        ]
        let stat = "813 (engine-of-the-e) S" + String(repeating: " 2", count: 40)
        let files = [
            "/probe/units": "bourse-matchd.service loaded active running 812 0 0\n",
            "/proc/812/task/813/status": "Name:\tengine-of-the-e\nCpus_allowed_list:\t2\n",
            "/proc/812/task/813/stat": stat,
        ]
        let machine = Machine(now: files, before: [:], plan: plan)
        let found = machine.findings.first { $0.kind.name == "cpu.thread-affinity" }
        #expect(found?.state == .ok)
        var seen = Observation(time: 1)
        for (path, text) in files { seen.set(path, text) }
        seen.set("/proc/812/task", names: ["813"])
        let threads = HostState(now: seen, before: nil, plan: plan).threads
        #expect(threads.first?.declared == 2)
    }

    @Test func `counters of the exchange are read as they were written`() {
        let reading = ExchangeReading([
            (.role, "primary"), (.released, "7"), (.clockOffsetNanos, "-5"), (.belowReserve, "1"),
        ])
        let read = ExchangeReading(reading.text + "newer 3\nnothing\n")
        #expect(read[.role] == "primary")
        #expect(read.count(.released) == 7)
        #expect(read.count(.clockOffsetNanos) == nil)
        #expect(read.number(.clockOffsetNanos) == -5)
        #expect(read.flag(.belowReserve) == true)
        #expect(read.entries.last?.key == "newer")
    }

    @Test func `a reading keeps values with colons and spaces`() {
        let reading = DeviceReading(
            "time 5\nifName.1 Port 1: uplink\noutlets 1 2\nerror\n", path: "/x")
        #expect(reading.text("ifName.1") == "Port 1: uplink")
        #expect(reading.outlets == ["1", "2"])
        #expect(reading.text("error") == nil)
        #expect(reading.instances("ifName") == ["1"])
    }

    @Test func `a reading of the wallet has each chain once, and texts of one line`() throws {
        func chain(_ number: Int, _ name: String, _ text: String = "x") -> String {
            """
            {"network":\(number),"chain":"\(name)","asset":"","condition":"no node",\
            "isSound":false,"text":"\(text)","tip":null,"read":7,"credited":0,"pending":3,"new":[]}
            """
        }
        func reading(_ chains: String...) -> WalletReading? {
            WalletReading(
                """
                {"time":5,"isConnected":false,"chains":[\(chains.joined(separator: ","))],"a":1}
                """)
        }
        let long = String(repeating: "ü", count: 200)
        let two = try #require(
            reading(chain(1, "litecoin", "a\\nb"), chain(3, "litecoin"), chain(4, "x", long)))
        #expect(two.chains.map(\.subject) == ["litecoin/1", "litecoin/3", "x"])
        #expect(two.chains[0].text == "a b")
        #expect(two.chains[2].text.utf8.count <= 305 && two.chains[2].text.hasSuffix("…"))
        #expect((two.chains[0].tip, two.chains[0].read) == (nil, 7))
        #expect(reading()?.chains == [])
        #expect(reading(chain(1, "a"), chain(1, "b")) == nil, "a number twice")
        #expect(reading(chain(65_536, "a")) == nil && reading(chain(1, "")) == nil)
        #expect(reading(chain(1, "a b")) == nil)
    }

    @Test func `withdrawals in a reading of the wallet are whole, or the reading is none`() throws {
        func reading(_ payouts: String) -> WalletReading? {
            WalletReading(
                """
                {"time":5,"isConnected":true,"chains":[{"network":1,"chain":"litecoin","asset":"",\
                "condition":"in step","isSound":true,"text":"","credited":0,"pending":0,\
                "payouts":\(payouts)}]}
                """)
        }
        let whole =
            #"{"condition":"no signer","isSound":false,"text":"a\nb","approved":1,"#
            + #""open":2,"free":9223372036854775807,"total":4,"new":5}"#
        let payouts = try #require(reading(whole)?.chains.first?.payouts)
        #expect((payouts.condition, payouts.isSound, payouts.text) == ("no signer", false, "a b"))
        #expect((payouts.approved, payouts.open) == (1, 2))
        #expect((payouts.free, payouts.total) == (.max, 4))
        for broken in [
            "{}", "7", "null", whole.replacing(":4", with: ":-4"),
            whole.replacing("no signer", with: "ü"),
            whole.replacing("\"approved\":1,", with: ""),
        ] { #expect(reading(broken) == nil, "\(broken)") }
    }

    // MARK: Any text

    /// Every codec.
    private static let codecs: [(name: String, read: @Sendable (String) -> Void)] = [
        ("diskstats", { _ = DiskStatistics.table($0) }),
        ("statvfs", { _ = FileSystemSpace.table($0).values.map(\.line) }),
        ("mounts", { _ = Mount.holding("/srv/my disk", in: Mount.table($0)) }),
        ("units", { _ = UnitStatus.table($0).values.map(\.line) }),
        ("interrupts", { _ = InterruptTable($0)?.rows.map(\.isManaged) }),
        ("thread status", { _ = ThreadStatus($0)?.isNamed("engine") }),
        ("thread stat", { _ = ThreadStat.lastCPU($0) }),
        ("schedstat", { _ = ThreadSchedule.waitNanos($0) }),
        ("stat", { _ = CPUTimes.table($0, of: CPUSet([0, 1, 2])).values.map(\.busy) }),
        ("pressure", { _ = PressureReading.someTenSeconds($0) }),
        ("meminfo", { _ = MemoryInfo($0) }), ("vmstat", { _ = PagingCounters($0) }),
        ("limits", { _ = LockLimit($0) }), ("softnet", { _ = SoftnetCounters($0) }),
        ("snmp", { _ = ProtocolCounters.counter("OutSegs", of: "Tcp", in: $0) }),
        ("channels", { _ = EthernetReading.queues($0) }),
        ("rings", { _ = EthernetReading.receiveRing($0) }),
        ("coalesce", { _ = EthernetReading.coalescing($0) }),
        ("features", { _ = EthernetReading.features($0) }),
        ("rss", { _ = EthernetReading.spread($0) }),
        ("stats", { _ = EthernetReading.queueLosses($0) }),
        ("timestamping", { _ = EthernetReading.stampsInHardware($0) }),
        ("clock", { _ = ClockReading($0) }), ("chrony", { _ = ChronyTracking($0) }),
        ("exchange", { _ = ExchangeReading(ExchangeReading($0).text) }),
        ("wallet", { _ = WalletReading($0)?.chains.map(\.subject) }),
        ("device", { _ = DeviceReading($0, path: "").instances("ifOperStatus") }),
        ("mdstat", { _ = ArrayReading.all($0) }), ("ipmi", { _ = BoardSensor.all($0) }),
        ("nvme", { _ = NVMeHealth($0) }), ("ata", { _ = ATAHealth($0) }),
        ("choice", { _ = KernelChoice.chosen(in: $0) }),
        ("list", { _ = CPUSet(list: $0)?.mask }), ("mask", { _ = CPUSet(mask: $0)?.description }),
    ]

    @Test func `no text makes a codec trap`() {
        var random = SystemRandomNumberGenerator()
        let machines = [Machine.metal, Machine.vm]
        let texts = machines.flatMap { $0.now.values }.filter { $0.utf8.count < 20_000 }.sorted()
        #expect(texts.count > 100)
        let numbers = CheckFuzzTests.numbers
        for text in texts {
            var bytes = Array(text.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let at = Int.random(in: bytes.indices, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.removeLast(bytes.count - at)
                case 2: bytes.insert(contentsOf: bytes[at...].prefix(40), at: at)
                default:
                    let number = numbers.randomElement(using: &random) ?? ""
                    bytes.insert(contentsOf: Array(number.utf8), at: at)
                }
            }
            let damaged = String(decoding: bytes, as: UTF8.self)
            for codec in Self.codecs { codec.read(damaged) }
        }
        for text in CheckFuzzTests.garbage + numbers {
            for codec in Self.codecs {
                codec.read(text)
                codec.read(text + "\n" + text + " " + text)
            }
        }
    }
}
