"""One host's tree, read file by file; paths that leave the root are reported, not read."""
from __future__ import annotations

import fnmatch
import os
import posixpath
from collections.abc import Container, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any

from .inventory import ObservedFile, absent, observe_file, tree_observer
from ... import files
from ...errors import AccessError, KpkiError, RefusedError

_LONGEST_SCRIPT = 65536


@lru_cache(maxsize=1024)    # every host is asked for the same paths
def inner(path: str) -> str:
    """A path of the host relative to its root."""
    return posixpath.normpath(f"/{path}").lstrip("/")


class Tree:
    """The files of the host under *root*.

    *found* has each file that was read. *outside* has (source, path) of paths that leave the root.
    *given* files replace those of the tree; without a *root* (None) there are no others. Links are
    read as on the host: an absolute link begins at the root. The place and the names of each folder
    are found once, and so is the kind of each path; a *found* file is not read again.
    """

    def __init__(self, root: str | None, given: Mapping[str, ObservedFile] | None = None,
                 found: Mapping[str, ObservedFile] | None = None) -> None:
        top = None if root is None else os.path.abspath(root)
        self.root = top or ""
        self.given = given or {}
        self.found: dict[str, ObservedFile] = {**(found or {}), **self.given}
        self.outside: dict[tuple[str, str], None] = {}
        self.closed: dict[str, None] = {}
        self._folders: dict[str, str | None] = {"": top}
        self._linked = set[str]()       # the folders with a link on the way
        self._names: dict[str, Container[str] | None] = {}
        self._kinds: dict[str, str] = {}
        self._observe = None if top is None else tree_observer(top, partial(observe_file, top))

    def file(self, path: str, source: str) -> ObservedFile:
        """The file at *path*, which *source* names; a file out of the root is missing."""
        if path not in self.found:
            self.found[path] = self._observe(path) if self._observe and not self._lacks(path) \
                else absent(path)
            if closed := self.found[path].unread:
                self.closed[closed] = None
        if path not in self.given and self.found[path].link and self._leaves(path):
            self.outside[source, path] = None
            self.found[path] = ObservedFile(path, missing=True, link=True)
        return self.found[path]

    def _place(self, folder: str) -> str | None:
        """The real place of a folder of the tree; None if there is none.

        Raises KpkiError for a folder that nobody may search.
        """
        above, unknown = folder, list[str]()
        while above not in self._folders:
            unknown.append(above)
            above = above.rpartition("/")[0]
        place = self._folders[above]
        for path in reversed(unknown):
            above, _, name = path.rpartition("/")
            kind = "missing" if place is None or self._is_unlisted(above, name) \
                else files.read_entry(place, name).kind
            if kind == "link" or above in self._linked:
                self._linked.add(path)
            place = (f"{place}/{name}" if kind == "folder" else
                     files.resolve(self.root, path, refuse_escape=True) if kind == "link"
                     else None)
            self._folders[path] = place
        return place

    def _lacks(self, path: str) -> bool:
        """Whether nothing lies at a path, and no link is on the way.

        Most of the files that a host may have are missing. One listing of a folder takes less time
        than a question for each of them.
        """
        folder, _, name = path.rpartition("/")
        if folder not in self._names:
            self._names[folder] = self._list(folder)
        return self._is_unlisted(folder, name)

    def _is_unlisted(self, folder: str, name: str) -> bool:
        names = self._names.get(folder)
        return names is not None and name not in names

    def _list(self, folder: str) -> Container[str] | None:
        """What a folder has, nothing without a folder; None if a link is on the way, or unknown."""
        try:
            place = self._place(folder)
            if folder in self._linked:
                return None
            return {*files.list_names(place), "", ".", ".."} if place else ()
        except KpkiError:   # a folder that may be searched, not listed
            return None

    def _leaves(self, path: str) -> bool:
        try:
            files.resolve(self.root, path, refuse_escape=True)
        except RefusedError:
            return True
        except KpkiError:
            return False
        return False

    def read(self, path: str, source: str) -> bytes | None:
        """The content of a file; None if it is missing or cannot be read."""
        return self.file(path, source).data

    def text(self, path: str, source: str) -> str | None:
        """The content of a file as text; octets that are no UTF-8 are replaced."""
        data = self.read(path, source)
        return None if data is None else data.decode("utf-8", "replace")

    def document(self, path: str, source: str) -> Any:
        """The value of a file's first YAML or JSON document; None if there is none."""
        data = self.read(path, source)
        if data is None:
            return None
        from ...documents import load_first
        return load_first(data)

    def kind(self, path: str) -> str:
        """The kind of a path: `file`, `link`, `folder`, `missing`, `hidden` (by a folder)."""
        if path in self.given:
            return "missing" if self.given[path].missing else "file"
        if path not in self._kinds:
            self._kinds[path] = self._find_kind(path)
        return self._kinds[path]

    def _find_kind(self, path: str) -> str:
        folder, _, name = path.rpartition("/")
        try:
            place = None if self._lacks(path) else self._place(folder)
            return "missing" if place is None else files.read_entry(place, name).kind
        except AccessError:
            self.closed[observe_file(self.root, path).unread or path] = None
            return "hidden"
        except KpkiError:
            return "other"

    def there(self, path: str) -> bool:
        """Whether a file, a folder or a link to one exists, as far as the caller may see."""
        return self.kind(path) not in ("missing", "hidden")

    def script(self, path: str) -> str:
        """The text of a program that is a script; "" for every other."""
        try:
            data = files.read(files.resolve(self.root, path, refuse_escape=True),
                              limit=_LONGEST_SCRIPT)
        except KpkiError:
            return ""
        return data.decode("utf-8", "replace") if data.startswith(b"#!") else ""

    def target(self, path: str) -> str:
        """The target of a link; "" for any other file."""
        folder, _, name = path.rpartition("/")
        try:
            place = self._place(folder)
            return (files.read_entry(place, name).target or "") if place else ""
        except KpkiError:
            return ""

    def names(self, folder: str, *, deep: bool = False) -> list[str]:
        """The files and links of a folder, sorted; none if it is no folder.

        With *deep* the files of its folders too.
        """
        try:
            place = self._place(folder)
            if not place:
                return []
            found = files.walk(place, skip=lambda path: not deep and "/" in path)
            return [path for path, _ in found]
        except AccessError:
            self.closed[observe_file(self.root, f"{folder}/.").unread or folder] = None
            return []
        except KpkiError:
            return []

    def matching(self, pattern: str) -> Iterator[str]:
        """The files that match a path, which may have wildcards in its last part, sorted."""
        path = inner(pattern)
        folder, name = posixpath.split(path)
        if not any(sign in name for sign in "*?["):
            yield path
            return
        yield from (posixpath.join(folder, found) for found in self.names(folder)
                    if fnmatch.fnmatchcase(found, name)
                    and (name.startswith(".") or not found.startswith(".")))
