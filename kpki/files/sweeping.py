"""Remove the staging files that interrupted runs left in a tree."""
from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from kpki.files.disk import DiskPath, disk, staged_for, stem
from kpki.files.entries import resolve
from kpki.files.rooted import Rooted


def sweep(root: DiskPath, paths: Sequence[str]) -> None:
    """Remove the staging files that interrupted runs left beside *paths*, relative to *root*.

    `replace_tree` does the same for its own files; `sweep` is for files that need no change.
    Raises FileError, RefusedError.
    """
    with Rooted(root) as tree:
        places = {folder: resolve(tree.root, folder, refuse_escape=True)
                  for folder in dict.fromkeys(path.rpartition("/")[0] for path in paths)}
        if any(map(_may_have_staged, {*places.values()})):
            remove_staged(tree, (os.path.join(places[folder], name) for folder, _, name in
                          (path.rpartition("/") for path in paths)))


def _may_have_staged(folder: str) -> bool:
    """Whether a folder has a staging file, or cannot be listed: nearly none has."""
    try:
        return any(staged_for(name) is not None for name in os.listdir(folder))
    except FileNotFoundError:
        return False
    except OSError:
        return True     # remove_staged raises the error


def remove_staged(tree: Rooted, targets: Iterable[str]) -> None:
    """Remove the staging files of these targets."""
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
