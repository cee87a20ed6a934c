"""What can be held of the rules of CONTRIBUTING for docstrings and messages."""
from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
MOST_WORDS = 25     # of a sentence
_END = re.compile(r"(?<=[.:;?!])\s+")
_CODE = re.compile(r"`[^`]*`|\([^()]*\)")
# a list, a table, an example, a drawing
_BLOCK = re.compile(r"\s*([-*|>]|\d+\.)\s|.*[├└│]", re.DOTALL)
_PRONOUN = re.compile(r"(it|it's) \w")
_OF_COMMAND = re.compile(r"(Option|Argument|TABLES?)$")
_OPTION = re.compile(r"typer\.Option\('(--[a-z-]+)'")
_CONDITION = re.compile(r", where (?!applicable)")     # a condition begins with "if"
_PRIVATE = re.compile(r" .*\b(told|untold|judge[ds]?|clues?|situations?)\b|\b(told|untold|"
                      r"judge[ds]?|clues?|situations?) ")


def sentences(docstring: str) -> Iterator[str]:
    """The sentences of a docstring, without what stands in brackets or is no prose."""
    for paragraph in re.split(r"\n\s*\n", docstring):
        if not _BLOCK.match(paragraph):
            yield from _END.split(_CODE.sub("", " ".join(paragraph.split())))


def docstrings(tree: ast.AST) -> Iterator[str]:
    """Every docstring of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def messages(tree: ast.AST) -> Iterator[str]:
    """Every string of a module that is no docstring, a formatted one by its beginning."""
    plain = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    plain |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
              for part in node.values[1:]}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in plain:
            yield node.value


def variables(tree: ast.AST) -> set[str]:
    """Every name that a module assigns, and every parameter."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Store)} | {
                node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def _modules(*folders: str) -> dict[str, ast.Module]:
    return {str(path.relative_to(TOP)): ast.parse(path.read_text())
            for folder in folders for path in sorted((TOP / folder).rglob("*.py"))}


@pytest.fixture(scope="module")
def package() -> dict[str, ast.Module]:
    """The modules of the package."""
    return _modules("kpki")


@pytest.fixture(scope="module")
def sources(package: dict[str, ast.Module]) -> dict[str, ast.Module]:
    """The modules of the package, and all scripts and tests."""
    return package | _modules("scripts", "tests")


def test_a_sentence_has_at_most_25_words(sources: dict[str, ast.Module]) -> None:
    """Nobody has to read a docstring's sentence twice because of its length."""
    found = [(module, sentence) for module, tree in sources.items()
             for docstring in docstrings(tree) for sentence in sentences(docstring)]
    assert len(found) > len(sources)
    assert [pair for pair in found if len(pair[1].split()) > MOST_WORDS] == []


def test_a_message_names_what_it_speaks_of(package: dict[str, ast.Module]) -> None:
    """A message stands alone, in a log or in JSON: none begins with `it`."""
    found = [(module, text) for module, tree in package.items() for text in messages(tree)]
    assert len(found) > len(package)
    assert [pair for pair in found if _PRONOUN.match(pair[1])] == []


def test_the_words_are_the_glossarys(package: dict[str, ast.Module]) -> None:
    """No docstring and no message says `where` for `if`, or has a private word for a term of the
    glossary."""
    texts = [(module, text) for module, tree in package.items()
             for text in (*(" ".join(text.split()) for text in docstrings(tree)), *messages(tree))]
    assert [pair for pair in texts
            if _CONDITION.search(pair[1]) or _PRIVATE.search(pair[1])] == []


def test_a_loop_variable_is_a_noun(sources: dict[str, ast.Module]) -> None:
    """A variable is called after what it holds, never `one`."""
    assert [module for module, tree in sources.items() if "one" in variables(tree)] == []


def classes(modules: dict[str, ast.Module]) -> Iterator[str]:
    """Every public class that stands at the top of a module."""
    for tree in modules.values():
        yield from (node.name for node in tree.body
                    if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))


def test_no_class_has_two_meanings(package: dict[str, ast.Module]) -> None:
    """The name of a class has one definition in the package, so that a reader knows which it is."""
    found = Counter(classes(package))
    assert [name for name, times in found.items() if times > 1] == []


def constants(modules: dict[str, ast.Module]) -> Iterator[tuple[str, str]]:
    """Every constant and every alias of a type at the top of a module, with its definition, but for
    the options of commands: an option's alias is called as the option is."""
    for tree in modules.values():
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else \
                [node.target] if isinstance(node, ast.AnnAssign) and node.value else []
            for name, value in (pair for target in targets for pair in assigned(target, node)):
                if name[0].isupper() and not _OF_COMMAND.search(name):
                    yield name, value


def assigned(target: ast.expr, node: ast.stmt) -> Iterator[tuple[str, str]]:
    """The names that an assignment gives values, also in a tuple, with the text of the values."""
    assert isinstance(node, ast.Assign | ast.AnnAssign) and node.value
    if isinstance(target, ast.Name):
        yield target.id, ast.unparse(node.value)
    elif isinstance(target, ast.Tuple):
        values = node.value.elts if isinstance(node.value, ast.Tuple) \
            else [node.value] * len(target.elts)
        yield from ((name.id, ast.unparse(value))
                    for name, value in zip(target.elts, values, strict=True)
                    if isinstance(name, ast.Name))


def test_no_constant_has_two_meanings(package: dict[str, ast.Module]) -> None:
    """The name of a constant, or of a type's alias, has one definition in the package."""
    found = Counter(name for name, _ in set(constants(package)))
    assert [name for name, times in found.items() if times > 1] == []


def test_an_option_has_the_name_of_its_alias(package: dict[str, ast.Module]) -> None:
    """`--ca-key` is CaKeyOption, so that a reader of a command knows the option."""
    found = dict(pair for module, tree in package.items() if module.startswith("kpki/cli/")
                 for pair in options(tree))
    assert len(found) > 50
    assert {alias: flag for alias, flag in found.items()
            if alias != "".join(map(str.capitalize, flag[2:].split("-"))) + "Option"} == {
                "OwnNodeOption": "--node", "OutFileOption": "--out"}


def options(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The aliases of options, and the options."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            for flag in _OPTION.findall(ast.unparse(node.value)):
                yield node.targets[0].id, flag


def test_a_second_meaning_is_seen() -> None:
    """Two modules with a class of one name are seen, private classes are not."""
    tree = ast.parse("class Place:\n    pass\nclass _Seen:\n    pass")
    assert [*classes({"a": tree, "b": tree})] == ["Place", "Place"]
    tree = ast.parse("MOST = 5\n_LEAST = 1\nsmall = 2\nKeyOption = MOST\nMOST = 6")
    assert [*constants({"a": tree})] == [("MOST", "5"), ("MOST", "6")]
    tree = ast.parse("KEY, MOST = 'a', 5\nKEYS: int = 1\nONE, TWO = call()")
    assert [*constants({"a": tree})] == [("KEY", "'a'"), ("MOST", "5"), ("KEYS", "1"),
                                         ("ONE", "call()"), ("TWO", "call()")]
    tree = ast.parse("Key = Annotated[str, typer.Option('--key', metavar='FILE')]\nMOST = 5")
    assert [*options(tree)] == [("Key", "--key")]


def test_the_words_can_be_wrong() -> None:
    """A condition with `where`, a private word and a variable `one` are seen, a place and an option
    are not."""
    assert (_CONDITION.search("None, where there is none")
            and not _CONDITION.search("the folder where files lie"))
    assert (_PRIVATE.search("what is told") and _PRIVATE.search("a judged row")
            and not _PRIVATE.search("judge"))
    assert (variables(ast.parse("for one in (1,): x = [y for y in z]\n\ndef f(a): b: int = 1"))
            == {"one", "x", "y", "a", "b"})


def test_the_rules_can_be_broken() -> None:
    """The rules see a sentence of 26 words and a message that begins with `it`, and let others
    pass."""
    long, short = "word " * 25 + "end.", "word " * 24 + "end."
    tree = ast.parse(f'"""{short} {long}\n\n- {long}\n"""\n'
                     'raise ValueError("it is wrong", "the item is")')
    found = [sentence for docstring in docstrings(tree) for sentence in sentences(docstring)]
    assert [len(sentence.split()) for sentence in found] == [25, 26]
    assert [text for text in messages(tree) if _PRONOUN.match(text)] == ["it is wrong"]
