"""Change many files of a tree together or not at all.

A run has five steps. An error in step 2 or 3 undoes both.
An interrupt at any moment leaves each file old or new.
1. Remove the staging files that interrupted runs left beside the targets.
2. Make missing folders, and stage every new content beside its target.
   Give every old file a second name beside it, its way back.
   Give the file a third name in the backup if the caller asks for a backup.
3. Once all this is durable, rename every staged file over its target.
4. The change now holds. Make the folders durable.
5. Remove the second names. A failure in step 4 or 5 is a warning.

Every call goes through `Rooted`, so that nothing outside the root changes, even if another program
replaces folders.
"""
from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from kpki.errors import FileError, InputError
from kpki.files.disk import (
    DiskPath,
    check_relative,
    disk,
    kind,
    not_durable,
    staging_name,
    sync_file_system,
    sync_folder,
)
from kpki.files.entries import resolve
from kpki.files.reading import LIMIT
from kpki.files.rooted import Rooted
from kpki.files.sweeping import remove_staged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Literal
    Action = Literal["create", "replace", "keep", "remove"]

# For at most this many files, one fsync each is cheaper than a sync of the file system with other
# programs' data.
_FEW = 16
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS)


@dataclass(frozen=True, slots=True)
class File:
    """A file to write.

    Raises InputError for a path that is absolute, has `..` or is not in its shortest form, and for
    a mode over 0o777.

    >>> file = next(kpki.make_plan(cluster).files())
    >>> file.path, f"{file.mode:04o}", file.data.splitlines()[0]
    ('pki/ca.crt', '0644', b'-----BEGIN CERTIFICATE-----')
    """

    path: str
    """The path relative to a tree's root, with `/`."""
    data: bytes
    """The content; of a symbolic link the target."""
    mode: int
    """The permission bits, 0 to 0o777; without effect for a symbolic link."""
    link: bool = False
    """Whether the file is a symbolic link."""

    def __repr__(self) -> str:      # data may be a private key
        return f"File({self.path!r}, 0o{self.mode:03o}, {len(self.data)} octets)"

    def __post_init__(self) -> None:
        check_relative(self.path)
        if not 0 <= self.mode <= 0o777:
            raise InputError(f"{self.path}: mode {self.mode:o} is more than permission bits")


class _Change(NamedTuple):
    file: File
    target: str
    old: os.stat_result | None
    action: Action
    staged: str
    way_back: str

    @property
    def owner(self) -> tuple[int, int] | None:
        """Owner and group of the regular file that is replaced; those of a link are dropped."""
        if self.old is None or not stat.S_ISREG(self.old.st_mode):
            return None
        return self.old.st_uid, self.old.st_gid

    @property
    def in_way(self) -> bool:
        """Whether the target is a folder or a device, which cannot have a second name."""
        return self.old is not None and not (stat.S_ISREG(self.old.st_mode)
                                             or stat.S_ISLNK(self.old.st_mode))

    def carry_out(self, tree: Rooted) -> None:
        """Change the file: the only call that does."""
        if self.action == "remove":
            tree.unlink(self.target)
            return
        if self.in_way:
            tree.rename(self.target, self.way_back)
        tree.rename(self.staged, self.target)

    @property
    def mode(self) -> int:
        if self.old and stat.S_ISREG(self.old.st_mode):
            return self.file.mode & self.old.st_mode
        return self.file.mode


def replace_tree(
    root: DiskPath, files: Sequence[File], *, folder_mode: int | Callable[[str], int],
    backup: str | None, now: datetime, removing: Sequence[str] = (), run: str | None = None,
    warnings: list[str] | None = None,
) -> list[tuple[File, Action]]:
    """Write *files* under *root* and remove the paths *removing*, all or none.

    Returns each file with its action: `create`, `replace`, `keep` or `remove`. A removed path is a
    File without data; a path that does not exist is not listed.

    A file with the same bytes and a mode no wider than asked stays untouched. A replaced file
    keeps owner and group, and gets the stricter of both modes. The old file goes to
    `root/backup/RUN/path`, unless *backup* is None; *run* is a name from `free_run`, None for a new
    name. A folder, socket or device in a file's place moves there too. A symbolic link in a file's
    place is replaced; in a folder's place it is followed as by `resolve`. Missing folders, *root*
    too, get *folder_mode*, a mode or a function of the path below *root*. Folders of the backup get
    0700. One call is one batch: the caller splits a fleet. *warnings* receives a sentence for each
    failure after the change: a copy that could not be removed, a folder that could not be made
    durable.

    Raises FileError; the tree is then as before, and the hint names each file that could not be put
    back or removed. Raises RefusedError if a folder's link leads out of *root*, InputError if a
    path is given twice.
    """
    late: list[str] = []
    with Rooted(root) as tree:
        changes = _changes(tree, files, removing)
        remove_staged(tree, (change.target for change in changes))
        run = run or (backup and free_run(root, backup, now))
        todo = [_out_of_way(tree, change, backup, run)
                for change in changes if change.action != "keep"]
        lost: list[str] = []
        try:
            with ExitStack() as leftovers, ExitStack() as undo:
                work = _Work(tree, todo, folder_mode, late, undo)
                touched, backed_up = work.stage(backup, run, leftovers)
                if any(change.in_way for change in todo):
                    touched |= backed_up
                work.sync(touched | backed_up if work.many else backed_up)
                undo.callback(work.sync, touched, [])  # runs after the renamed files are put back
                tree.check()
                for change in todo:
                    undo.callback(work.put_back, change, lost)
                    with disk(change.target):
                        change.carry_out(tree)
                undo.pop_all()
                work.sync(touched, late)
        except FileError as error:
            if lost:
                error.hint = f"could not be put back: {', '.join(lost)}; run the command again"
            elif late:
                error.hint = "; ".join(late)
            raise
    if warnings is not None:
        warnings += late
    return [(change.file, change.action) for change in changes]


def free_run(root: DiskPath, backup: str, now: datetime) -> str:
    """A new name for a run's folder in `root/backup`: *now* in UTC, and a number if need be.

    All calls of `replace_tree` in one run share the name.
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
            action = ("create" if old is None
                      else "keep" if _same(tree, target, old, file) else "replace")
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
    """The change, with a way back in the backup for what is in its way; FileError without one."""
    if not change.in_way:
        return change
    if backup is None or run is None or change.action == "remove":
        assert change.old is not None
        raise FileError(f"{change.target}: a {kind(change.old.st_mode)}, not a regular file")
    place = resolve(tree.root, backup, refuse_escape=True)
    return change._replace(way_back=os.path.join(place, run, change.file.path))


def _same(tree: Rooted, target: str, old: os.stat_result, file: File) -> bool:
    if file.link:
        return stat.S_ISLNK(old.st_mode) and os.fsencode(tree.readlink(target)) == file.data
    return (stat.S_ISREG(old.st_mode) and old.st_size == len(file.data)
            and not stat.S_IMODE(old.st_mode) & ~file.mode
            and tree.read(target, limit=max(LIMIT, len(file.data))) == file.data)


class _Work(NamedTuple):
    """The steps of one batch."""

    tree: Rooted
    todo: Sequence[_Change]
    folder_mode: int | Callable[[str], int]
    warnings: list[str]
    undo: ExitStack
    """Callbacks that undo the finished steps."""

    @property
    def many(self) -> bool:
        """Whether the whole file system is synced at once instead of each file."""
        return len(self.todo) > _FEW

    def stage(self, backup: str | None, run: str | None,
              leftovers: ExitStack) -> tuple[set[str], set[str]]:
        """Stage every new content, and give every old file its second and third name.

        Returns the folders whose names change, those of the tree and those of the backup. The files
        of a host are neighbours, and each file is finished before the next begins: so each folder
        is opened once.
        """
        touched, backed_up, place = set[str](), set[str](), ""
        if backup and run and any(change.old for change in self.todo):
            place = resolve(self.tree.root, backup, refuse_escape=True)
            backed_up = self._make_folders(os.path.dirname(place), self._mode_of)
            backed_up |= self._make_folders(place, _private)
        for change in self.todo:
            folder = os.path.dirname(change.target)
            if folder not in touched:
                touched |= self._make_folders(folder, self._mode_of)
            if change.action != "remove":
                self._stage(change)
            if change.old and not change.in_way:
                leftovers.callback(self._remove, change.way_back)
                self._second_name(change, change.way_back)
            if change.old and place:
                path = os.path.join(place, run or "", change.file.path)
                if os.path.dirname(path) not in backed_up:
                    backed_up |= self._make_folders(os.path.dirname(path), _private)
                if not change.in_way:       # what is in the way moves there later
                    self.undo.callback(self._remove, path)
                    self._second_name(change, path)
        return touched, backed_up

    def _stage(self, change: _Change) -> None:
        self.undo.callback(self._remove, change.staged)
        with disk(change.target):
            if change.file.link:
                self.tree.symlink(os.fsdecode(change.file.data), change.staged)
            else:
                self.tree.write_new(change.staged, change.file.data, mode=change.mode,
                                    owner=change.owner, sync=not self.many)

    def put_back(self, change: _Change, lost: list[str]) -> None:
        """Undo a rename, whether it has happened, has not, or was interrupted halfway."""
        try:
            if change.in_way:
                if self._is_there(change.way_back):
                    self.tree.remove(change.target)
                    self.tree.rename(change.way_back, change.target)
            elif change.old:
                # rename(2) between two names of one file does nothing: a target that was not
                # replaced stays
                self.tree.rename(change.way_back, change.target)
            elif not self._is_there(change.staged):
                self.tree.unlink(change.target)
        except OSError:
            lost.append(change.target)

    def sync(self, folders: Iterable[str], warnings: list[str] | None = None) -> None:
        """Make folders durable; for many changes, sync their whole file systems instead.

        Failures go to *warnings*, if given; else they raise FileError.
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
        """Make *path* a hard link to the target, or a copy if the file system refuses the link."""
        assert change.old is not None
        with disk(path):
            try:
                self.tree.link(change.target, path)
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
            else:
                return
            if stat.S_ISLNK(change.old.st_mode):
                self.tree.symlink(self.tree.readlink(change.target), path)
                return
            data = self.tree.read(change.target, limit=max(LIMIT, change.old.st_size))
            self.tree.write_new(path, data, mode=stat.S_IMODE(change.old.st_mode),
                                owner=change.owner, sync=True)

    def _make_folders(self, folder: str, mode_of: Callable[[str], int]) -> set[str]:
        """Make a folder and those missing above it; returns the folders whose names change."""
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
        # the folder was not made, or another program has put a file into it
        with suppress(OSError):
            self.tree.rmdir(path)


def _private(_folder: str) -> int:
    return 0o700
