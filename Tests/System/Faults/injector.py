"""The harness's side of shim/: rules for the calls of a daemon, and the power cut, which takes
back from its files what was never synced, whole or by sectors, as a disk would."""
import ctypes
import mmap
import os
import struct
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent

# --- shim/shim.h: calls, kinds of files, effects ---
WRITE, SYNC, RENAME, RESIZE, OPEN, MAP, READ, UNLINK, LIST = (1 << i for i in range(9))
SEGMENT, READY, JOURNAL, SNAPSHOT, STATE, DIRECTORY = (1 << i for i in range(6))
FAIL, SHORT, LOSE, MISDIRECT, ASTRAY, FLIP, LIE, DIE = range(1, 9)
CONTROL = struct.Struct("<Qqqq")
RULE = struct.Struct("<IIIIqqqq")
RULES = 8
ENTRY = struct.Struct("<IIQQqqqII")
MAGIC = 0x544C4146
(N_WRITE, N_RESIZE, N_SYNC_BEGIN, N_SYNC_END, N_SYNC_FAILED, N_CREATE, N_RENAME, N_UNLINK, N_EVICT,
 N_LOST, N_MAPPED, N_EXCHANGE) = range(1, 13)

SECTOR, PAGE = 512, 4096
FOREVER = 1 << 60


def build(folder):
    """Compiles the shim; gives its path."""
    made = Path(folder) / "faults.so"
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-std=gnu17", "-shared", "-fPIC", "-o", made,
         *sorted((HERE / "shim").glob("*.c")), "-ldl", "-lpthread"], check=True)
    return made


class Checksum:
    """CRC32C by the shim's own code, after `load`."""

    function = None

    @classmethod
    def load(cls, shim):
        cls.function = ctypes.CDLL(str(shim)).faults_crc32c
        cls.function.restype = ctypes.c_uint32
        cls.function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]

    @classmethod
    def of(cls, data):
        return cls.function(bytes(data), len(data))


class Injector:
    """The control page, the notes and the store of one state directory."""

    def __init__(self, folder, root, shim):
        self.root, self.shim = Path(root), shim
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store = self.folder / "store"
        self.store.mkdir(exist_ok=True)
        self.notes = self.folder / "notes"
        self.notes.write_bytes(b"")
        control = self.folder / "control"
        control.write_bytes(bytes(4096))
        with open(control, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4096)

    def close(self):
        self.page.close()

    @property
    def environment(self):
        return {
            "LD_PRELOAD": str(self.shim), "FAULTS_ROOT": str(self.root),
            "FAULTS_CONTROL": str(self.folder / "control"), "FAULTS_LOG": str(self.notes),
            "FAULTS_STORE": str(self.store),
        }

    # --- rules ---

    def clear(self):
        """No rule is armed any more."""
        start = CONTROL.size
        self.page[start:start + RULES * RULE.size] = bytes(RULES * RULE.size)

    def arm(self, place, effect, calls, kinds, skip=0, times=1, argument=0):
        """The call that meets it after `skip` others has this effect, and `times` - 1 after it."""
        start = CONTROL.size + place * RULE.size
        # `armed` last: the daemon may be looking.
        row = RULE.pack(effect, calls, kinds, 0, skip, times, 0, argument)
        self.page[start:start + RULE.size] = row
        self.page[start + 12:start + 16] = struct.pack("<I", 1)

    def hits(self, place=0):
        start = CONTROL.size + place * RULE.size
        return RULE.unpack_from(self.page, start)[6]

    def set_clock(self, nanos):
        self.page[8:16] = struct.pack("<q", nanos)

    def set_sync_time(self, nanos):
        self.page[16:24] = struct.pack("<q", nanos)

    # --- power cut ---

    def cut_power(self, random, mode=None):
        """Takes back what was not durable, as `mode` says; all that is left is durable then. No
        daemon runs. Gives what was taken back, in words."""
        pending = Pending(self.notes.read_bytes())
        mode = mode or random.choice(MODES)
        gone = PowerCut(self.root, self.store, pending, random, mode).apply()
        self.forget()
        return f"power cut ({mode}): {gone}"

    def evict(self):
        """What an error of a sync left clean in the page cache, though the disk has it not, is
        dropped, as the kernel may at any time."""
        pending = Pending(self.notes.read_bytes())
        return PowerCut(self.root, self.store, pending, None, "orphans").apply()

    def forget(self):
        """All is durable as it is."""
        self.notes.write_bytes(b"")
        for kept in self.store.iterdir():
            kept.unlink()

    def has_orphans(self):
        return any(
            piece.is_orphan for pages in Pending(self.notes.read_bytes()).pages.values()
            for pieces in pages.values() for piece in pieces)


MODES = ("nothing survives", "all survives", "sectors", "sectors", "pages", "pages", "first writes",
         "last write")


@dataclass
class Piece:
    """A write's part in one page, with what stood there before."""

    order: int
    offset: int
    before: bytes
    count: int
    is_orphan: bool = False


@dataclass
class Sizes:
    durable: int
    now: int


@dataclass
class Naming:
    """A name that was made, moved or taken away, and not synced yet."""

    what: int
    inode: int
    directories: tuple
    paths: list


@dataclass
class Stray:
    inode: int
    offset: int
    data: bytes


@dataclass
class Pending:
    """What the notes say is not durable."""

    raw: bytes
    pages: dict = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    sizes: dict = field(default_factory=dict)
    names: list = field(default_factory=list)
    strays: list = field(default_factory=list)
    mapped: dict = field(default_factory=dict)  # inode: offset and bytes that were synced last

    def __post_init__(self):
        at, order, begun, by_id = 0, 0, {}, {}
        raw = self.raw
        while at + ENTRY.size <= len(raw):
            magic, what, inode, identity, offset, count, size, zeros, length = ENTRY.unpack_from(
                raw, at)
            assert magic == MAGIC, "the notes are whole"
            payload = raw[at + ENTRY.size:at + ENTRY.size + length]
            if len(payload) < length:
                break  # killed within
            at += ENTRY.size + length
            order += 1
            if what in (N_WRITE, N_RESIZE):
                sizes = self.sizes.setdefault(inode, Sizes(size, size))
                old = max(0, min(count, size - offset))
                before = bytes(old) if zeros else payload
                pieces = self.split(inode, order, offset, count, before)
                if what == N_WRITE:
                    by_id[identity] = pieces
                    sizes.now = max(sizes.now, offset + count)
                else:
                    sizes.now = identity
            elif what == N_LOST:
                for piece in by_id.get(identity, ()):
                    piece.is_orphan = True
                if size >= 0:
                    self.strays.append(Stray(inode, size, payload))
            elif what == N_SYNC_BEGIN:
                now = self.sizes.get(inode)
                begun[identity] = (order, now and now.now)
            elif what in (N_SYNC_END, N_SYNC_FAILED) and identity in begun:
                self.synced(inode, *begun.pop(identity), what == N_SYNC_END)
            elif what == N_MAPPED:
                self.mapped[inode] = (offset, payload)
            elif what == N_CREATE:
                self.names.append(Naming(what, inode, (count,), [payload.decode()]))
            elif what in (N_RENAME, N_EXCHANGE):
                self.names.append(
                    Naming(what, inode, (offset, count), payload.decode().split("\n")))
            elif what == N_UNLINK:
                self.names.append(Naming(what, inode, (count,), payload.decode().split("\n")))

    def split(self, inode, order, offset, count, before):
        pieces, at = [], 0
        while at < count:
            page = (offset + at) // PAGE
            size = min(count - at, (page + 1) * PAGE - offset - at)
            piece = Piece(order, offset + at, before[at:at + size], size)
            self.pages[inode][page].append(piece)
            pieces.append(piece)
            at += size
        return pieces

    def synced(self, inode, upto, size, is_durable):
        pages = self.pages.get(inode, {})
        for number in list(pages):
            pieces = pages[number]
            covered = [piece for piece in pieces if piece.order <= upto]
            if is_durable:
                # A page that is dirty is written whole, with what an earlier error left in it.
                if any(not piece.is_orphan for piece in covered):
                    pages[number] = pieces[len(covered):]
            else:
                for piece in covered:
                    piece.is_orphan = True
        if is_durable:
            if size is not None:
                self.sizes[inode].durable = size
            self.names = [n for n in self.names if inode not in n.directories]


class PowerCut:
    """One power cut over the files under `root`."""

    def __init__(self, root, store, pending, random, mode):
        self.pending, self.random, self.mode = pending, random, mode
        self.paths = {}
        for top in (root, store):
            for folder, _, names in os.walk(top):
                for name in names:
                    path = os.path.join(folder, name)
                    self.paths[os.lstat(path).st_ino] = path
        self.sector = SECTOR if mode == "sectors" else PAGE
        self.taken = 0

    def apply(self):
        for inode, pages in self.pending.pages.items():
            path = self.paths.get(inode)
            if path:
                self.take_back(path, inode, pages)
        for stray in self.pending.strays if self.mode != "orphans" else ():
            if stray.inode in self.paths:
                with open(self.paths[stray.inode], "r+b") as file:
                    file.seek(stray.offset)
                    file.write(stray.data)
        for inode, (offset, data) in self.pending.mapped.items():
            kept = {"nothing survives": False, "all survives": True, "orphans": True}.get(self.mode)
            if inode in self.paths and not (self.random.random() < 0.5 if kept is None else kept):
                with open(self.paths[inode], "r+b") as file:
                    file.seek(offset)
                    file.write(data)
        names = self.rename() if self.mode != "orphans" else 0
        return f"{self.taken} bytes and {names} names taken back"

    def take_back(self, path, inode, pages):
        orders = sorted({piece.order for pieces in pages.values() for piece in pieces})
        if not orders:
            return
        pivot = self.random.choice(orders) if self.random else 0
        undo = []
        for pieces in pages.values():
            chosen = {}
            for piece in reversed(pieces):
                undo += [(piece.order, *part) for part in self.lost(piece, pieces, pivot, chosen)]
        size = os.path.getsize(path)
        with open(path, "r+b") as file:
            for _, offset, before in sorted(undo, key=lambda u: -u[0]):
                file.seek(offset)
                file.write(before)
                self.taken += len(before)
            sizes = self.pending.sizes.get(inode)
            if self.mode == "orphans" or not sizes or sizes.durable == sizes.now:
                return
            if sizes.durable > sizes.now:  # it was cut, and that is not durable
                if self.mode == "all survives":
                    return
                if file.seek(0, 2) < sizes.durable:
                    file.truncate(sizes.durable)
            elif self.mode == "nothing survives" or (
                    self.mode != "all survives" and self.random.random() < 0.3):
                file.truncate(min(size, sizes.durable))

    def lost(self, piece, pieces, pivot, chosen):
        """The parts of a piece that did not survive: offset, what was there before."""
        for start in range(piece.offset // self.sector * self.sector, piece.offset + piece.count,
                           self.sector):
            first = max(start, piece.offset)
            last = min(start + self.sector, piece.offset + piece.count)
            if start not in chosen:
                chosen[start] = self.survives(pieces, pivot)
            if piece.order <= chosen[start] and not piece.is_orphan:
                continue
            before = piece.before[first - piece.offset:last - piece.offset]
            # What was behind the file's end reads as zeros.
            yield first, before + bytes(last - first - len(before))

    def survives(self, pieces, pivot):
        """The last write of these that a sector shows."""
        if self.mode == "nothing survives":
            return 0
        if self.mode in ("all survives", "orphans"):
            return FOREVER
        if self.mode == "first writes":
            return pivot
        if self.mode == "last write":
            return FOREVER if any(p.order >= pivot for p in pieces) else 0
        return self.random.choice([0, FOREVER, self.random.choice(pieces).order])

    def rename(self):
        names = self.pending.names
        kept = {"nothing survives": 0, "all survives": len(names)}.get(self.mode)
        if kept is None:
            kept = self.random.randint(0, len(names))
        for naming in reversed(names[kept:]):
            self.undo_name(naming)
        return len(names) - kept

    def undo_name(self, naming):
        if naming.what == N_CREATE:
            path, = naming.paths
            if os.path.exists(path) and os.stat(path).st_ino == naming.inode:
                os.unlink(path)
        elif naming.what == N_UNLINK:
            path, kept = naming.paths
            if kept and os.path.exists(kept) and not os.path.exists(path):
                os.link(kept, path)
        elif naming.what == N_EXCHANGE:
            one, other = naming.paths
            if os.path.exists(other) and os.stat(other).st_ino == naming.inode:
                aside = one + ".aside"
                os.rename(one, aside)
                os.rename(other, one)
                os.rename(aside, other)
        else:
            old, new, kept = naming.paths
            if os.path.exists(new) and os.stat(new).st_ino == naming.inode:
                os.rename(new, old)
                if kept and os.path.exists(kept):
                    os.link(kept, new)
