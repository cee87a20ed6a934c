"""Builds the manual pages and the shells' completion files, which the command itself writes."""
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
BUILT = Path("build")


class BuildPages(build_py):
    """Builds the modules, and from their texts the pages."""

    def run(self) -> None:
        super().run()
        sys.path.insert(0, str(HERE))
        from kpki.cli.app import pages
        for path, text in pages():
            (BUILT / path).parent.mkdir(parents=True, exist_ok=True)
            (BUILT / path).write_text(text)
            self.distribution.data_files = [*(self.distribution.data_files or ()),
                                            (str(Path(path).parent), [str(BUILT / path)])]


setup(cmdclass={"build_py": BuildPages})
