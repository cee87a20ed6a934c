"""Change many files of a tree together or not at all.

What happens, in this order; an error in 2 or 3 undoes them, and a cut anywhere leaves each file old or new:
1. what earlier runs that were cut off left staged beside the targets is removed;
2. missing folders are made, every new content is staged beside its target, and every old file gets a second name
   beside it (its way back) and, if asked for, a third in the backup;
3. when all that is durable, every staged file is renamed over its target;
4. from here on the change holds; the folders are made durable;
5. the second names go. What fails in 4 and 5 is a warning.

All of it is done through `Rooted`, so that nothing leaves the root whatever happens to its folders meanwhile.
"""
from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from itertools import count

from kpki.errors import FileError, InputError
from kpki.files.disk import Path, disk, kind, not_durable, staged_for, staging_name, stem, sync_folder
from kpki.files.looking import resolve
from kpki.files.reading import LIMIT
from kpki.files.rooted import Rooted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Literal
    Action = Literal["create", "replace", "keep", "remove"]

_FEW = 16  # up to so many files one fsync each is cheaper than a sync of the file system, which waits for others' data
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS)


def check_relative(path: str) -> None:
    """Raise InputError unless *path* is relative, in its shortest form and below its start: no `..`, `.` or `//`."""
    if not path or any(part in ("", ".", "..") for part in path.split("/")):
        raise InputError(f"{path!r}: not a plain relative path")
    try:
        possible = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise InputError(f"{path!r}: not a possible file name")


@dataclass(frozen=True, slots=True)
class File:
    """A file to be: *path* relative to a tree's root, with `/`; *data*; *mode*, its permission bits (0 to 0o777).

    With *link* it is a symbolic link, *data* is where that leads, and the mode does not count.
    Raises InputError: an absolute path, one with `..` or not in its shortest form; a mode with more than those bits.
    """

    path: str
    data: bytes
    mode: int
    link: bool = False

    def __repr__(self) -> str:      # data may be a private key
        return f"File({self.path!r}, 0o{self.mode:03o}, {len(self.data)} octets)"

    def __post_init__(self) -> None:
        check_relative(self.path)
        if not 0 <= self.mode <= 0o777:
            raise InputError(f"{self.path}: mode {self.mode:o} is more than permission bits")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    file: File
    target: str
    old: os.stat_result | None
    action: Action
    staged: str
    way_back: str

    @property
    def owner(self) -> tuple[int, int] | None:
        """Of the regular file that is replaced; a link's own owner says nothing about what it stood for."""
        return (self.old.st_uid, self.old.st_gid) if self.old and stat.S_ISREG(self.old.st_mode) else None

    @property
    def in_way(self) -> bool:
        """Whether something that is no file lies in the file's place, as a folder, which cannot have a second name."""
        return self.old is not None and not (stat.S_ISREG(self.old.st_mode) or stat.S_ISLNK(self.old.st_mode))

    def carry_out(self, tree: Rooted) -> None:
        """The one moment at which the file changes."""
        if self.action == "remove":
            tree.unlink(self.target)
            return
        if self.in_way:
            tree.rename(self.target, self.way_back)
        tree.rename(self.staged, self.target)

    @property
    def mode(self) -> int:
        return self.file.mode & self.old.st_mode if self.old and stat.S_ISREG(self.old.st_mode) else self.file.mode


def replace_tree(
    root: Path, files: Sequence[File], *, folder_mode: int | Callable[[str], int], backup: str | None, now: datetime,
    removing: Sequence[str] = (), run: str | None = None, warnings: list[str] | None = None,
) -> list[tuple[File, Action]]:
    """Put *files* under *root* and take *removing* away, all or none; says for each what was done: `create`, `replace`,
    `keep` or `remove` (a file without data; none for what is not there).

    A file with the same bytes and a mode no wider than asked is kept, untouched. A replaced one keeps owner, group and
    the stricter of both modes; it goes to `root/backup/RUN/path` first, unless *backup* is None; *run* is a name that
    `free_run` gave, None for a new one. What is no file, as a folder, moves there when its place is taken. A symbolic
    link in a file's place is replaced itself; one in a folder's place is followed as `resolve` does. Folders that are
    missing, *root* too, get *folder_mode* (or what it says of a folder's path below *root*), those of the backup 0700.
    One call is one batch: the caller splits a fleet. *warnings* gets a sentence for what went wrong once the change
    held: a copy of an old file that could not be removed, a folder that could not be made durable.
    Raises FileError (all is as before; the hint names what could not be put back or removed), RefusedError (a folder's
    link leads out of *root*), InputError (a path given twice).
    """
    told: list[str] = []
    with Rooted(root) as tree:
        changes = _changes(tree, files, removing)
        _sweep(tree, (change.target for change in changes))
        run = run or (backup and free_run(root, backup, now))
        todo = [_out_of_way(tree, change, backup, run) for change in changes if change.action != "keep"]
        lost: list[str] = []
        try:
            with ExitStack() as leftovers, ExitStack() as undo:
                work = _Work(tree, todo, folder_mode, told, undo)
                touched, kept = work.stage(backup, run, leftovers)
                if any(change.in_way for change in todo):
                    touched |= kept
                work.sync(touched | kept if work.many else kept)
                undo.callback(work.sync, touched, [])  # runs after what was renamed is put back
                tree.check()
                for change in todo:
                    undo.callback(work.put_back, change, lost)
                    with disk(change.target):
                        change.carry_out(tree)
                undo.pop_all()
                work.sync(touched, told)
        except FileError as error:
            if lost:
                error.hint = f"could not be put back: {', '.join(lost)}; run it again"
            elif told:
                error.hint = "; ".join(told)
            raise
    if warnings is not None:
        warnings += told
    return [(change.file, change.action) for change in changes]


def free_run(root: Path, backup: str, now: datetime) -> str:
    """A name for a run's folder in `root/backup` that is not there: *now* in UTC, with a number where need be.

    For the calls of `replace_tree` that make up one run.
    """
    check_relative(backup)
    place = resolve(root, backup, refuse_escape=True)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", now.utctimetuple())
    names = (f"{stamp}-{number}" if number > 1 else stamp for number in count(1))
    return next(name for name in names if not os.path.lexists(os.path.join(place, name)))


def _changes(tree: Rooted, files: Sequence[File], removing: Sequence[str]) -> list[_Change]:
    folders: dict[str, str] = {}
    changes: list[_Change] = []
    seen: set[str] = set()
    for number, file in enumerate((*files, *(File(path, b"", 0) for path in removing))):
        folder, _, name = file.path.rpartition("/")
        if folder not in folders:
            folders[folder] = resolve(tree.root, folder, refuse_escape=True)
        target = os.path.join(folders[folder], name)
        if target in seen:
            raise InputError(f"{file.path}: given twice")
        seen.add(target)
        old = _found(tree, target)
        action: Action
        if number >= len(files):
            if old is None:
                continue
            action = "remove"
        else:
            action = "create" if old is None else "keep" if _same(tree, target, old, file) else "replace"
        changes.append(_Change(file=file, target=target, old=old, action=action,
                               staged=staging_name(target), way_back=staging_name(target)))
    return changes


def _found(tree: Rooted, target: str) -> os.stat_result | None:
    with disk(target):
        try:
            found = tree.lstat(target)
        except FileNotFoundError:
            return None
    return found


def _out_of_way(tree: Rooted, change: _Change, backup: str | None, run: str | None) -> _Change:
    """The change, with a way back in the backup for what is no file. Raises FileError if there is no backup."""
    if not change.in_way:
        return change
    if backup is None or run is None or change.action == "remove":
        assert change.old is not None
        raise FileError(f"{change.target}: a {kind(change.old.st_mode)}, not a regular file")
    place = resolve(tree.root, backup, refuse_escape=True)
    return replace(change, way_back=os.path.join(place, run, change.file.path))


def _same(tree: Rooted, target: str, old: os.stat_result, file: File) -> bool:
    if file.link:
        return stat.S_ISLNK(old.st_mode) and os.fsencode(tree.readlink(target)) == file.data
    return (stat.S_ISREG(old.st_mode) and old.st_size == len(file.data)
            and not stat.S_IMODE(old.st_mode) & ~file.mode
            and tree.read(target, limit=max(LIMIT, len(file.data))) == file.data)


def sweep(root: Path, paths: Sequence[str]) -> None:
    """Remove what runs that were cut off have left beside *paths*, relative to *root*.

    `replace_tree` does it for what it is given; this is for what is right already. Raises FileError, RefusedError.
    """
    with Rooted(root) as tree:
        places = {folder: resolve(tree.root, folder, refuse_escape=True)
                  for folder in dict.fromkeys(path.rpartition("/")[0] for path in paths)}
        _sweep(tree, (os.path.join(places[folder], name) for folder, _, name in
                      (path.rpartition("/") for path in paths)))


def _sweep(tree: Rooted, targets: Iterable[str]) -> None:
    """Remove what runs that were cut off have left staged for these targets."""
    names: dict[str, set[str]] = {}
    for target in targets:
        folder, name = os.path.split(target)
        names.setdefault(folder, set()).add(stem(name))
    for folder, stems in names.items():
        with disk(folder):
            try:
                stale = [name for name in tree.names(folder) if staged_for(name) in stems]
            except FileNotFoundError:
                continue
        for name in stale:
            with disk(path := os.path.join(folder, name)):
                tree.unlink(path)


@dataclass(frozen=True, slots=True)
class _Work:
    """The steps of one batch; *undo* takes back what they have done."""

    tree: Rooted
    todo: Sequence[_Change]
    folder_mode: int | Callable[[str], int]
    warnings: list[str]
    undo: ExitStack

    @property
    def many(self) -> bool:
        """Whether the whole file system is synced at once, and no file by itself."""
        return len(self.todo) > _FEW

    def stage(self, backup: str | None, run: str | None, leftovers: ExitStack) -> tuple[set[str], set[str]]:
        """Write every new content beside its target, and give every old file its second and third name.

        Gives the folders whose names change, and the backup's. A host's files come one after the other, and each of
        them has all of this done at once: so its folders are opened once.
        """
        touched, kept, place = set[str](), set[str](), ""
        if backup and run and any(change.old for change in self.todo):
            place = resolve(self.tree.root, backup, refuse_escape=True)
            kept = self._make(os.path.dirname(place), self._mode_of) | self._make(place, _private)
        for change in self.todo:
            folder = os.path.dirname(change.target)
            if folder not in touched:
                touched |= self._make(folder, self._mode_of)
            if change.action != "remove":
                self._stage(change)
            if change.old and not change.in_way:
                leftovers.callback(self._remove, change.way_back)
                self._second_name(change, change.way_back)
            if change.old and place:
                path = os.path.join(place, run or "", change.file.path)
                if os.path.dirname(path) not in kept:
                    kept |= self._make(os.path.dirname(path), _private)
                if not change.in_way:       # that goes there when its place is taken
                    self.undo.callback(self._remove, path)
                    self._second_name(change, path)
        return touched, kept

    def _stage(self, change: _Change) -> None:
        self.undo.callback(self._remove, change.staged)
        with disk(change.target):
            if change.file.link:
                self.tree.symlink(os.fsdecode(change.file.data), change.staged)
            else:
                self.tree.write_new(change.staged, change.file.data, mode=change.mode, owner=change.owner,
                                    sync=not self.many)

    def put_back(self, change: _Change, lost: list[str]) -> None:
        """Undo a rename that has happened, or not, or half (an interrupt between it and the next line)."""
        try:
            if change.in_way:
                if self._is_there(change.way_back):
                    self.tree.remove(change.target)
                    self.tree.rename(change.way_back, change.target)
            elif change.old:
                # of two names of one file a rename leaves both: the target untouched if it was never replaced
                self.tree.rename(change.way_back, change.target)
            elif not self._is_there(change.staged):
                self.tree.unlink(change.target)
        except OSError:
            lost.append(change.target)

    def sync(self, folders: Iterable[str], warnings: list[str] | None = None) -> None:
        """Make folders durable, or if there are many changes everything on their file systems.

        With *warnings* what fails is told there.
        """
        act = sync_file_system if self.many else sync_folder
        done: set[int] = set()
        for folder in folders:
            try:
                device = os.stat(folder or os.curdir).st_dev if self.many else len(done)
                if device not in done:
                    act(self.tree.open(folder))
                    done.add(device)
            except OSError as error:
                if warnings is None:
                    with disk(folder):
                        raise
                warnings.append(not_durable(folder, error))

    def _mode_of(self, folder: str) -> int:
        if callable(self.folder_mode):
            return self.folder_mode(os.path.relpath(folder, self.tree.root))
        return self.folder_mode

    def _is_there(self, path: str) -> bool:
        try:
            return bool(self.tree.lstat(path))
        except FileNotFoundError:
            return False

    def _remove(self, path: str) -> None:
        if warning := self.tree.remove(path):
            self.warnings.append(warning)

    def _second_name(self, change: _Change, path: str) -> None:
        """Hard-link what is at the target to *path*; if that cannot be (another file system, none at all), copy it."""
        assert change.old is not None
        with disk(path):
            try:
                return self.tree.link(change.target, path)
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
            if stat.S_ISLNK(change.old.st_mode):
                return self.tree.symlink(self.tree.readlink(change.target), path)
            data = self.tree.read(change.target, limit=max(LIMIT, change.old.st_size))
            self.tree.write_new(path, data, mode=stat.S_IMODE(change.old.st_mode), owner=change.owner, sync=True)

    def _make(self, folder: str, mode_of: Callable[[str], int]) -> set[str]:
        """Make what is missing of a folder; gives it and those above it whose names change."""
        touched = {folder}
        with disk(folder):
            missing = self.tree.missing(folder)
        for path in missing:
            self.undo.callback(self._remove_folder, path)
            with disk(path):
                self.tree.mkdir(path, mode_of(path))
            touched.add(os.path.dirname(path))
        return touched

    def _remove_folder(self, path: str) -> None:
        with suppress(OSError):  # not made after all, or somebody has put something into it
            self.tree.rmdir(path)


def _private(folder: str) -> int:
    return 0o700


def sync_file_system(folder: int) -> None:
    """syncfs(2) of an open folder's, which has no name in os; where the C library has none either, sync(2)."""
    import ctypes  # 4 ms, for a large batch only
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        return os.sync()
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        if syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)
