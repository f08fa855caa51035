"""A root file system as a value: what stands in it, and its cpio archive, the same bytes for the same contents.

The kernel unpacks a cpio archive of the `newc` form as its first root file system. This module writes one without
root's rights: owners, device nodes and times are fields of the archive, never of files on the disk.
"""

import os
import re
import stat
import subprocess
from dataclasses import dataclass

TRAILER = "TRAILER!!!"


class RootfsError(Exception):
    """What a person has to act on: the message says which file and why."""


@dataclass(frozen=True)
class Entry:
    mode: int
    data: bytes = b""
    rdev: tuple = (0, 0)


class Tree:
    """Entries by absolute path. Parents come into being by themselves; a path that is there already is an error
    unless it is the same thing, so that two sources cannot quietly overwrite each other."""

    def __init__(self):
        self.entries = {}

    def _add(self, path, entry):
        if not path.startswith("/") or "/../" in path + "/" or "//" in path:
            raise RootfsError(f"{path}: a path in the root file system is absolute and plain")
        if path == "/":
            return
        self.add_folder(os.path.dirname(path))
        there = self.entries.get(path)
        if there is not None and there != entry:
            raise RootfsError(f"{path}: added twice with different contents")
        self.entries[path] = entry

    def add_folder(self, path, mode=0o755):
        if path in self.entries and stat.S_ISDIR(self.entries[path].mode) or path == "/":
            return
        self._add(path, Entry(stat.S_IFDIR | mode))

    def add_bytes(self, path, data, mode=0o644):
        self._add(path, Entry(stat.S_IFREG | mode, data))

    def add_file(self, path, source, mode=None):
        """Copies SOURCE, followed through links. Without a mode: 0755 where its owner may run it, else 0644."""
        try:
            with open(source, "rb") as file:
                data = file.read()
                runs = os.fstat(file.fileno()).st_mode & stat.S_IXUSR
        except OSError as error:
            raise RootfsError(f"{source}: {error.strerror}") from error
        self.add_bytes(path, data, mode if mode is not None else (0o755 if runs else 0o644))

    def add_link(self, path, target):
        self._add(path, Entry(stat.S_IFLNK | 0o777, target.encode()))

    def add_device(self, path, kind, major, minor, mode):
        kinds = {"c": stat.S_IFCHR, "b": stat.S_IFBLK}
        self._add(path, Entry(kinds[kind] | mode, rdev=(major, minor)))

    def add_program(self, path, source):
        """Copies a program and the shared libraries that it needs. Gives the libraries' paths."""
        self.add_file(path, source, 0o755)
        libraries = libraries_of(source)
        for library in libraries:
            self.add_file(library, library, 0o755)
        return libraries

    def paths(self):
        """Sorted so that a folder stands before what is in it."""
        return sorted(self.entries)

    def cpio(self, epoch=0):
        """The archive's bytes. Every owner is root, every time is EPOCH, numbers run by path."""
        out = []
        for number, path in enumerate(self.paths(), 1):
            entry = self.entries[path]
            links = 2 if stat.S_ISDIR(entry.mode) else 1
            out.append(_member(path[1:], entry.mode, number, links, epoch, entry.rdev, entry.data))
        out.append(_member(TRAILER, 0, 0, 1, 0, (0, 0), b""))
        archive = b"".join(out)
        return archive + b"\0" * (-len(archive) % 512)


    def write_folder(self, folder):
        """Writes the tree below FOLDER, for a container's image. Devices are left out: every runtime brings its own."""
        for path in self.paths():
            entry, target = self.entries[path], os.path.join(folder, path[1:])
            if stat.S_ISDIR(entry.mode):
                os.makedirs(target, exist_ok=True)
                os.chmod(target, stat.S_IMODE(entry.mode))
            elif stat.S_ISLNK(entry.mode):
                os.symlink(entry.data.decode(), target)
            elif stat.S_ISREG(entry.mode):
                with open(target, "xb") as file:
                    file.write(entry.data)
                os.chmod(target, stat.S_IMODE(entry.mode))


def _member(name, mode, number, links, time, rdev, data):
    raw = name.encode() + b"\0"
    fields = (number, mode, 0, 0, links, time, len(data), 0, 0, rdev[0], rdev[1], len(raw), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + raw
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def read_cpio(archive):
    """Reads an archive back as {path: Entry}; the tests compare it with what went in."""
    entries, at = {}, 0
    while True:
        if archive[at : at + 6] != b"070701":
            raise RootfsError(f"offset {at}: not a member of a newc archive")
        fields = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, rdev, name_size = fields[1], fields[6], (fields[9], fields[10]), fields[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        start = at + 110 + name_size
        start += -start % 4
        if name == TRAILER:
            return entries
        entries["/" + name] = Entry(mode, archive[start : start + size], rdev)
        at = start + size
        at += -at % 4


def libraries_of(program):
    """The shared libraries and the loader that PROGRAM needs, as sorted absolute paths; none for a static one.

    It runs ldd, so PROGRAM must be one that may be run.
    """
    result = subprocess.run(["ldd", program], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    text = result.stdout + result.stderr
    if "not a dynamic executable" in text or "statically linked" in text:
        return []
    if result.returncode != 0 or "not found" in text:
        raise RootfsError(f"{program}: ldd cannot resolve its libraries:\n{text.strip()}")
    found = re.findall(r"(?:=> |^\s*)(/\S+) \(0x", result.stdout, re.MULTILINE)
    return sorted(set(found))
