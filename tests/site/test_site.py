"""The built site in a real browser; `scripts/docs --check` builds and runs this."""
from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from kpki.kubernetes.causes import CAUSES
from tests.site.browser import Page, browser

TOP = Path(__file__).parents[2]
SITE = TOP / "build" / "site"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that keeps no log."""

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """The address of the site, on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab of the browser."""
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


class Links(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links, self.anchors = list[str](), set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a link or an anchor."""
        words = dict(attrs)
        self.anchors |= {words.get("id") or "", words.get("name") or ""}
        if link := words.get("href" if tag in ("a", "link") else "src"):
            self.links.append(link)


def read(path: Path) -> Links:
    """The links of a file."""
    found = Links()
    found.feed(path.read_text())
    return found


def test_every_page_is_built() -> None:
    """Each Markdown page has its page, and the navigation names each."""
    wanted = {path.relative_to(TOP / "docs").with_suffix(".html").as_posix()
              for path in (TOP / "docs").rglob("*.md")}
    assert wanted <= {*PAGES}

    def named(items: object) -> set[str]:
        if isinstance(items, dict):
            return named([*items.values()])
        if isinstance(items, list):
            return set().union(*map(named, items))
        return {str(items).removesuffix(".md") + ".html"}
    assert wanted - named(yaml.safe_load((TOP / "mkdocs.yml").read_text())["nav"]) == set()


def test_every_link_has_its_target() -> None:
    """A link into the site leads to a file, and its anchor to an element."""
    pages = {name: read(SITE / name) for name in PAGES}
    missing = []
    for name, found in pages.items():
        if name == "404.html":      # its links begin at the top of the server
            continue
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            path = (SITE / name).parent / unquote(parts.path) if parts.path else SITE / name
            path = path / "index.html" if path.is_dir() else path
            target = pages.get(path.resolve().relative_to(SITE).as_posix())
            if not path.exists() or (parts.fragment and target
                                     and unquote(parts.fragment) not in target.anchors):
                missing.append((name, link))
    assert missing == []


def test_each_cause_has_its_anchor() -> None:
    """The page about causes has an anchor for each, under the name that `kpki check` gives."""
    assert CAUSES.keys() <= read(SITE / "causes.html").anchors


@pytest.mark.parametrize("name", [name for name in PAGES if name != "404.html"])
def test_a_page_loads(page: Page, base: str, name: str) -> None:
    """Without an error, without another host, with its pictures drawn."""
    page.addresses.clear()
    page.complaints.clear()
    page.open(base + name)
    assert page.value("document.querySelector('h1').innerText.length") > 1
    page.wait_for("[...document.images].every(image => image.complete)")
    assert page.value("[...document.images].filter(image => !image.naturalWidth).length") == 0
    assert [address for address in page.addresses
            if not address.startswith((base, "data:", "blob:"))] == []
    assert page.complaints == []


def test_pictures_are_there(page: Page, base: str) -> None:
    """The picture of a cluster is on its pages, and as large as it was drawn."""
    for name in ("graph.html", "x509-in-kubernetes.html"):
        page.open(base + name)
        assert page.value("document.querySelector('article img').naturalWidth") > 800


@pytest.mark.parametrize(("words", "wanted"), [
    ("cannot modify node", "x509-in-kubernetes.html"), ("无法修改节点", "zh/lost-node.html")])
def test_the_search_finds(page: Page, base: str, words: str, wanted: str) -> None:
    """What a log says leads to the page that explains it, in both languages."""
    page.open(base + "index.html")
    page.wait_for("!!document.querySelector('.md-search__button')")
    page.value("document.querySelector('.md-search__button').click()")
    field = "(document.querySelector('.md-search').shadowRoot || document).querySelector('input')"
    page.wait_for(f"!!{field}")
    page.value(f"{field}.focus()")
    page.call("Input.insertText", text=words)
    links = ("[...(document.querySelector('.md-search').shadowRoot || document)"
             ".querySelectorAll('a')].map(link => link.href).join(' ')")
    page.wait_for(f"{links}.includes({wanted!r})")


def test_the_browser_can_complain(page: Page, base: str) -> None:
    """A missing file and an error of a script are seen."""
    page.open(base + "nothing.html")
    assert any(complaint.startswith("404 ") for complaint in page.complaints)
    page.complaints.clear()
    page.call("Runtime.evaluate", expression="console.error('broken')")
    assert page.complaints
    page.complaints.clear()
