"""Files ↔ the bytes of a plain tar, without the disk.

`tarfile.TarInfo` reads and writes each header. `TarFile` is not used: it takes a broken header for
the end of the archive, follows sparse and pax records, and has looped on negative sizes
(CVE-2025-8194).
"""
from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from kpki.errors import InputError
from kpki.files.disk import check_relative
from kpki.files.reading import LIMIT
from kpki.files.tree import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from tarfile import TarInfo

_BLOCK = 512
_TEXT = ("utf-8", "surrogateescape")
_KINDS = {
    b"1": "hard link", b"2": "symbolic link", b"3": "character device", b"4": "block device",
    b"6": "FIFO", b"S": "sparse file", b"x": "pax header", b"g": "pax header", b"K": "link name"}


def pack(files: Sequence[File], *, now: datetime, prefix: str) -> bytes:
    """One GNU tar of *files* with their modes, each under the folder *prefix* ("" for none).

    All members belong to root (0:0), folders are 0755, every time is *now*: the same files give the
    same bytes.
    Raises InputError for a prefix that is no single name, a path given twice, or a symbolic link.
    """
    import tarfile
    if prefix:
        check_relative(prefix)
        if "/" in prefix:
            raise InputError(f"{prefix!r}: more than one folder")
    parts: list[bytes] = []
    seen: set[str] = set()

    def add(name: str, mode: int, data: bytes | None) -> None:
        info = tarfile.TarInfo(name)
        info.mode, info.mtime, info.uname, info.gname = mode, int(now.timestamp()), "root", "root"
        info.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
        info.size = len(data or b"")
        parts.append(info.tobuf(tarfile.GNU_FORMAT, *_TEXT))
        if data:
            parts.append(data + b"\0" * (-len(data) % _BLOCK))
        seen.add(name)

    for file in files:
        path = f"{prefix}/{file.path}" if prefix else file.path
        if path in seen:
            raise InputError(f"{path}: given twice")
        if file.link:
            raise InputError(f"{path}: a symbolic link, and an archive holds files alone")
        folders = path.split("/")[:-1]
        for depth in range(1, len(folders) + 1):
            if (folder := "/".join(folders[:depth])) not in seen:
                add(folder, 0o755, None)
        add(path, file.mode, file.data)
    return b"".join([*parts, b"\0" * (2 * _BLOCK)])


def unpack(data: bytes, *, expected: Collection[str]) -> list[File]:
    """The regular files of a plain tar, in the archive's order; *expected* are the valid paths.

    All files may lie under one further folder, as `pack` puts them. Folder members are skipped.
    Raises InputError, which names the member, for a member that is no regular file or over LIMIT.
    Raises InputError for an absolute path, a `..`, and a path that is not expected or comes twice.
    Raises InputError for bytes that are no plain tar, cut off or damaged.
    """
    members: dict[str, TarInfo] = {}
    contents: dict[str, bytes] = {}
    for member, content in _members(data):
        name = member.name.removeprefix("./")
        if member.isdir():
            if (folder := name.rstrip("/")) not in ("", "."):
                check_relative(folder)
            continue
        check_relative(name)
        if not member.isreg() or member.type in _KINDS:
            what = _KINDS.get(member.type, "member of unknown kind")
            raise InputError(f"{name}: a {what}, not a regular file",
                             hint="make the archive of regular files alone: tar --format=ustar")
        if name in members:
            raise InputError(f"{name}: twice in the archive")
        if len(content) > LIMIT:
            raise InputError(f"{name}: over {LIMIT // 1048576} MiB")
        members[name], contents[name] = member, content
    paths = _without_prefix(list(members), frozenset(expected))
    return [File(paths[name], contents[name], member.mode & 0o777)
            for name, member in members.items()]


def members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The name and the content of each regular file of a plain tar; raises as `unpack`."""
    return ((member.name, content) for member, content in _members(data) if member.isreg())


def _without_prefix(names: Sequence[str], expected: Collection[str]) -> dict[str, str]:
    """Each name in the archive → its expected path."""
    strange = [name for name in names if name not in expected]
    if not strange:
        return {name: name for name in names}
    first = names[0].partition("/")[0] + "/"
    for name in names:
        if not name.startswith(first) or name[len(first):] not in expected:
            stranger = name if len(strange) == len(names) else strange[0]
            raise InputError(f"{stranger}: not expected in this archive")
    return {name: name[len(first):] for name in names}


def _members(data: bytes) -> Iterator[tuple[TarInfo, bytes]]:
    """Each header with its content; a GNU long name (type `L`) goes into the next header."""
    import tarfile
    offset = 0
    long_name: str | None = None
    while True:
        block = data[offset:offset + _BLOCK]
        if block == bytes(_BLOCK):
            if long_name is not None or data[offset:].strip(b"\0"):
                raise InputError(f"tar archive damaged at byte {offset}")
            return
        try:
            member = tarfile.TarInfo.frombuf(block, *_TEXT)
        except (tarfile.HeaderError, ValueError) as error:
            fact = f"tar archive damaged at byte {offset}" if offset else "not a plain tar archive"
            raise InputError(fact, hint="decompress a compressed archive first") from error
        offset += _BLOCK
        if long_name is not None:
            member.name, long_name = long_name, None
        if member.size < 0 or offset + member.size > len(data):
            raise InputError(f"{member.name}: cut off in the archive")
        content = data[offset:offset + member.size]
        offset += -(-member.size // _BLOCK) * _BLOCK
        if member.type == tarfile.GNUTYPE_LONGNAME:
            long_name = content.rstrip(b"\0").decode(*_TEXT)
        else:
            yield member, content
