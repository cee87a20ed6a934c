"""The files round the package: workflows, forms, hooks, what is built and published."""
from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import kpki

TOP = Path(__file__).parent.parent
WORKFLOWS = TOP / ".github/workflows"


def setup(path: Path = TOP / "setup.cfg") -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(path)
    return parser


def steps_of(workflow: str, job: str) -> list[dict[str, Any]]:
    """The steps of a job."""
    steps: list[dict[str, Any]] = (
        yaml.safe_load((WORKFLOWS / workflow).read_text())["jobs"][job]["steps"])
    return steps


def step_of(workflow: str, job: str, name: str) -> str:
    """The shell text of a named step."""
    return next(str(step["run"]) for step in steps_of(workflow, job) if step.get("name") == name)


def test_the_tests_run_on_every_python_that_the_package_names() -> None:
    """The matrix has the versions of the classifiers, the first of them with the oldest
    dependencies too."""
    matrix = yaml.safe_load((WORKFLOWS
                             / "ci.yml").read_text())["jobs"]["test"]["strategy"]["matrix"]
    named = re.findall(r"Python :: (3\.\d+)$", setup()["metadata"]["classifiers"], re.MULTILINE)
    assert matrix["python"] == named
    assert setup()["options"]["python_requires"] == f">={named[0]}"
    assert matrix["include"] == [{"python": named[0], "dependencies": "oldest"}]


def test_the_oldest_dependencies_are_those_of_the_package(tmp_path: Path) -> None:
    """Each dependency is held at the version that setup.cfg begins with, and nothing else is."""
    shutil.copy(TOP / "setup.cfg", tmp_path)
    text = step_of("ci.yml", "test", "Take the oldest dependencies that setup.cfg allows")
    subprocess.run(["bash", "-ec", text], cwd=tmp_path, env=os.environ
                   | {"GITHUB_ENV": str(tmp_path / "env")}, check=True, capture_output=True)
    wanted = [line.replace(">=", "==") for line in setup()["options"]["install_requires"].split()]
    assert (tmp_path / "oldest.txt").read_text().split() == wanted
    assert (tmp_path / "env").read_text() == f"PIP_CONSTRAINT={tmp_path}/oldest.txt\n"


def test_a_release_says_where_its_repository_is(tmp_path: Path) -> None:
    """The URLs are those of the repository that makes the release; the rest of setup.cfg stays."""
    shutil.copy(TOP / "setup.cfg", tmp_path)
    text = step_of("release.yml", "build", "Write into the package where the repository is")
    subprocess.run(["bash", "-ec", text], cwd=tmp_path,
                   env=os.environ | {"REPOSITORY": "https://host.example/a/kpki"}, check=True)
    before, after = setup(), setup(tmp_path / "setup.cfg")
    urls = after["metadata"].pop("project_urls")
    assert re.findall(r"^(\w+) = https://host.example/a/kpki", urls,
                      re.MULTILINE) == ["Source", "Issues", "Security"]
    assert {name: dict(after[name]) for name in after} == {name: dict(before[name])
                                                           for name in before}


@pytest.mark.parametrize(("tag", "log", "status"), [
    (f"v{kpki.__version__}", f"## {kpki.__version__}\n", 0),
    ("v9.9.9", f"## {kpki.__version__}\n", 1), (f"v{kpki.__version__}", "## Unreleased\n", 1)])
def test_a_release_is_of_the_version_that_it_names(tmp_path: Path, tag: str, log: str,
                                                   status: int) -> None:
    """The tag, the version and a section of the changelog are one, or nothing is built."""
    (tmp_path / "kpki").mkdir()
    shutil.copy(TOP / "kpki/__init__.py", tmp_path / "kpki")
    (tmp_path / "CHANGELOG.md").write_text(log)
    text = step_of("release.yml", "build", "Hold the tag against the version and the changelog")
    done = subprocess.run(["bash", "-ec", text], cwd=tmp_path, env=os.environ
                          | {"GITHUB_REF_NAME": tag}, capture_output=True, check=False)
    assert done.returncode == status


def test_a_workflow_may_read_alone_unless_a_job_says_more() -> None:
    """No token of a workflow may write; publishing asks for its own identity."""
    for path in WORKFLOWS.glob("*.yml"):
        document = yaml.safe_load(path.read_text())
        assert document["permissions"] == {"contents": "read"}
        assert {name: job["permissions"] for name, job in document["jobs"].items()
                if "permissions" in job} == (
                    {"publish": {"id-token": "write"}} if path.name == "release.yml" else {})


@pytest.mark.parametrize("form",
                         sorted(path.name for path in TOP.glob(".github/ISSUE_TEMPLATE/*.yml")
                                if path.name != "config.yml"))
def test_an_issue_form_asks(form: str) -> None:
    """A form has a name, a description and questions with labels, and asks for no key."""
    document = yaml.safe_load((TOP / ".github/ISSUE_TEMPLATE" / form).read_text())
    assert document["name"] and document["description"]
    questions = [item for item in document["body"] if item["type"] != "markdown"]
    assert all(question["attributes"]["label"] and question["id"] for question in questions)
    assert "private key" in document["body"][0]["attributes"]["value"]


@pytest.mark.parametrize("script", [
    path.relative_to(TOP) for path in sorted([*(TOP / "scripts").iterdir(), TOP / ".ci/run"])
    if (path.is_file() and path.read_bytes().startswith(b"#!/")) or path.suffix == ".sh"], ids=str)
def test_a_shell_file_has_lines_up_to_100(script: Path) -> None:
    """A line of a shell file has at most 100 characters, as in Python."""
    assert [line for line in (TOP / script).read_text().splitlines() if len(line) > 100] == []


def test_the_hooks_and_updates_are_yaml() -> None:
    """The hooks of a commit are ruff and mypy; dependabot reads packages and actions."""
    hooks = yaml.safe_load((TOP / ".pre-commit-config.yaml").read_text())["repos"]
    assert [hook["id"] for repository in hooks
            for hook in repository["hooks"]] == ["ruff-check", "mypy"]
    updates = yaml.safe_load((TOP / ".github/dependabot.yml").read_text())["updates"]
    assert [update["package-ecosystem"] for update in updates] == ["pip", "github-actions"]
