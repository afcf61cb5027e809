"""Faults in the files of a stopped exchange. Each fault changes a world and says what
it did; the dice choose file and place."""
import os
import re
import shutil
from pathlib import Path

import linkwire as wire

# Where bytes are wrong: what stands there.
PLACES = ("record", "record head", "mark", "tail record", "tail mark", "header", "behind the end",
          "anywhere")


def segments(world):
    return sorted((world.state / "journal").glob("*.seg"))


def snapshots(world):
    return sorted((world.state / "snapshots").glob("*.snap"))


def pick_segment(world, dice):
    """The newest as often as all others together."""
    found = segments(world)
    return found[-1] if dice.random() < 0.5 else dice.choice(found)


def pick_file(world, dice):
    found = [pick_segment(world, dice)] * 6 + snapshots(world)[-2:]
    found += [path for path in world.state.iterdir()
              if path.is_file() and not path.name.endswith("lock")]
    found += sorted((world.state / "journal").glob("ready-*"))
    return dice.choice(found)


def place_in(path, dice, place=None):
    """An offset into a file, and in words what stands there."""
    data = path.read_bytes()
    place = place or dice.choice(PLACES)
    segment = wire.read_segment(data) if path.suffix == ".seg" else None
    if segment and segment.items and place not in ("header", "behind the end", "anywhere"):
        items = segment.items[-1:] if place.startswith("tail") else segment.items
        wanted = [item for item in items if ("mark" in place) == (item.record is None)]
        if place.startswith("tail"):
            wanted = [item for item in segment.items[-40:]
                      if ("mark" in place) == (item.record is None)][-1:]
        item = dice.choice(wanted or segment.items)
        within = dice.randrange(8 if place == "record head" else item.length)
        return item.offset + within, f"{place} at byte {item.offset}"
    if segment and segment.items and place == "behind the end":
        at = min(len(data) - 1, segment.end + dice.choice((0, 8, 100, 4096, 100_000)))
        return at, f"behind the end at byte {segment.end}"
    if place == "header":
        return dice.randrange(min(100, len(data)) or 1), place
    return dice.randrange(len(data) or 1), place


def short(world, path):
    return str(Path(path).relative_to(world.state))


# --- the faults ---


def remove(world, dice, templates):
    path = pick_file(world, dice)
    path.unlink()
    return f"{short(world, path)} removed"


def remove_newest(world, dice, templates):
    """The newest segments, one or more."""
    found = segments(world)
    gone = found[-dice.randint(1, len(found)):]
    for path in gone:
        path.unlink()
    return f"{len(gone)} of {len(found)} segments removed, the newest"


def truncate(world, dice, templates):
    path = pick_file(world, dice)
    size = path.stat().st_size
    segment = wire.read_segment(path.read_bytes()) if path.suffix == ".seg" else None
    choices = [0, 1, 8, 511, 512, 4095, 4096, 4104, size - 1, size - 8, size - 4096, size // 2,
               dice.randrange(size or 1)]
    if segment and segment.items:
        item = dice.choice(segment.items)
        last = segment.items[-1]
        choices += 2 * [
            item.offset, item.offset + item.length, item.offset + 8, item.offset + item.length - 8,
            item.offset // 4096 * 4096, item.offset // 512 * 512, segment.end, last.offset,
            last.offset + 8, (segment.end + 4095) // 4096 * 4096]
    length = min(size, max(0, dice.choice(choices)))
    os.truncate(path, length)
    return f"{short(world, path)} cut to {length} of {size} bytes"


def extend(world, dice, templates):
    path = pick_segment(world, dice)
    more = dice.choice((1, 8, 512, 4096, 1 << 20))
    with open(path, "ab") as file:
        file.write(bytes(more) if dice.random() < 0.6 else dice.randbytes(more))
    return f"{short(world, path)} longer by {more} bytes"


def zero(world, dice, templates):
    """A whole file, or a run of it: a record, sectors, pages, the header, all behind a place."""
    path = pick_file(world, dice)
    size = path.stat().st_size
    start, words = place_in(path, dice)
    length = dice.choice((8, 48, 512, 4096, 16384, size, size))
    unit = dice.choice((1, 8, 512, 4096))
    start = start // unit * unit
    if dice.random() < 0.15:
        start, length, words = 0, size, "all of it"
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(bytes(min(length, size - start)))
    return f"{short(world, path)} zeroed for {length} bytes from {start} on ({words})"


def garbage(world, dice, templates):
    path = pick_file(world, dice)
    size = path.stat().st_size
    start, words = place_in(path, dice)
    start = start // dice.choice((1, 8, 512, 4096)) * 8 // 8
    length = min(size - start, dice.choice((1, 8, 512, 4096)))
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(dice.randbytes(length))
    return f"{short(world, path)}: {length} random bytes from {start} on ({words})"


def flip(world, dice, templates):
    path = pick_file(world, dice)
    if not path.stat().st_size:
        return f"{short(world, path)} is empty, and stays as it is"
    at, words = place_in(path, dice)
    bit = dice.randrange(8)
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))
    return f"{short(world, path)}: bit {bit} of byte {at} flipped ({words})"


def shift(world, dice, templates):
    """A page or sector of a segment stands in another place as well, or in another segment."""
    source, target = pick_segment(world, dice), pick_segment(world, dice)
    size = dice.choice((512, 4096))
    data = source.read_bytes()
    used = wire.read_segment(data).end
    start = dice.randrange(max(1, used)) // size * size
    target_used = wire.read_segment(target.read_bytes()).end
    end = min(target_used + 8192, target.stat().st_size - size)
    to = dice.randrange(max(1, end)) // size * size
    with open(target, "r+b") as file:
        file.seek(to)
        file.write(data[start:start + size])
    return (f"{size} bytes from {start} of {short(world, source)} written over {to} of"
            f" {short(world, target)}")


def swap(world, dice, templates):
    one, other = pick_file(world, dice), pick_file(world, dice)
    if one == other:
        found = segments(world)
        one, other = (found * 2)[:2]
    aside = one.with_name("swapped")
    if one != other:
        one.rename(aside)
        other.rename(one)
        aside.rename(other)
    return f"{short(world, one)} and {short(world, other)} swapped"


def stale(world, dice, templates):
    """A file as it was earlier."""
    # What is later than this state is no old copy of it.
    is_young = world.ledger.last <= templates.ledgers["young"].last
    earlier = templates.folder / dice.choice(("young",) if is_young else ("young", "early")) / "state"
    if dice.random() < 0.25:
        folder = dice.choice(("journal", "snapshots"))
        shutil.rmtree(world.state / folder)
        shutil.copytree(earlier / folder, world.state / folder)
        return f"{folder} as it was in {earlier.parent.name}"
    old = [path for pattern in ("journal/*.seg", "snapshots/*.snap", "audited*")
           for path in earlier.glob(pattern)]
    path = dice.choice(sorted(old))
    target = world.state / path.relative_to(earlier)
    shutil.copy(path, target)
    return f"{short(world, target)} as it was in {earlier.parent.name}"


def foreign(world, dice, templates):
    """Files of another exchange in the place of these, or beside them."""
    other = templates.folder / "other" / "state"
    draw = dice.random()
    if draw < 0.2:
        folder = dice.choice(("journal", "snapshots"))
        shutil.rmtree(world.state / folder)
        shutil.copytree(other / folder, world.state / folder)
        return f"{folder} of another exchange"
    found = sorted(other.glob("journal/*.seg")) + sorted(other.glob("snapshots/*.snap"))
    source = dice.choice(found)
    folder = world.state / source.parent.name
    mine = sorted(folder.glob(f"*{source.suffix}"))
    target = dice.choice(mine) if mine and draw < 0.75 else folder / source.name
    shutil.copy(source, target)
    return f"{source.name} of another exchange as {short(world, target)}"


def rename(world, dice, templates):
    found = segments(world)
    path = pick_segment(world, dice)
    number = int(path.stem)
    name = dice.choice([
        f"{number + dice.choice((1, -1, 1000))  % 10**20:020}.seg", f"{number:020}.seg.old",
        f"{number}.seg", "ready-a", f"{number:020}", f"x{number:020}.seg"])
    if dice.random() < 0.2:
        ready = sorted(path.parent.glob("ready-*"))
        if ready:
            path = ready[0]
            last = wire.read_segment(found[-1].read_bytes())
            name = f"{(last.items[-1].next if last.items else 2):020}.seg"
    path.rename(path.with_name(name))
    return f"{short(world, path)} renamed to {name}"


def copied(world, dice, templates):
    """A segment under a second name."""
    path = pick_segment(world, dice)
    number = int(path.stem) + dice.choice((1, 10, 100_000))
    shutil.copy(path, path.with_name(f"{number:020}.seg"))
    return f"{short(world, path)} copied to {number:020}.seg"


def irregular(world, dice, templates):
    """A directory, a pipe, a dead link or a file that nobody may read in the place of a file."""
    path = pick_segment(world, dice) if dice.random() < 0.7 else pick_file(world, dice)
    kept = path.read_bytes()
    what = dice.choice(("directory", "dead link", "link to nowhere but itself", "empty file"))
    path.unlink()
    if what == "directory":
        path.mkdir()
    elif what == "dead link":
        path.symlink_to("nowhere")
    elif what == "empty file":
        path.touch()
    else:
        path.symlink_to(path.name)
    return f"{short(world, path)}: a {what} in the place of {len(kept)} bytes"


def emptied(world, dice, templates):
    """Directories of a volume that is not mounted."""
    what = dice.choice((("journal",), ("snapshots",), ("journal", "snapshots"), ("",)))
    for name in what:
        folder = world.state / name
        keeps_state = name == ""
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        if not keeps_state and len(what) == 1 and dice.random() < 0.3:
            folder.rmdir()
    if what == ("",):
        # The mount point of an installed host, which systemd makes again.
        return "the whole volume is empty"
    return f"{' and '.join(what)} emptied"


FAULTS = {
    "remove": (remove, 5), "remove newest": (remove_newest, 4), "truncate": (truncate, 12),
    "extend": (extend, 2), "zero": (zero, 14), "garbage": (garbage, 8), "flip": (flip, 16),
    "shift": (shift, 6), "swap": (swap, 4), "stale": (stale, 6), "foreign": (foreign, 6),
    "rename": (rename, 5), "copied": (copied, 2), "irregular": (irregular, 4),
    "emptied": (emptied, 6),
}
