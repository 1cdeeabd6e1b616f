"""What must hold of the checkout as a whole."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("schemas", "producers", "streams", "reports", "laddstream")
MODULES = sorted(
    path for room in (*ROOMS, "bench", "tests") for path in (ROOT / room).rglob("*.py")
)
TEXTS = (".py", ".md", ".toml", ".sql", ".yml", ".yaml", ".cfg", ".sh", ".json", ".example")
PURE_OF_SCHEMAS = {
    "schemas", "schemas.currencies", "schemas.units", "schemas.errors", "schemas.topics",
}  # fmt: skip
NOT_IN_THE_CORE = {
    "asyncio", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "socket",
    "subprocess", "sys", "tempfile", "threading", "time", "urllib",
}  # fmt: skip


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _files() -> list[Path]:
    """What is or would be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    return [ROOT / line for line in listed if (ROOT / line).is_file()]


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module}
            if node.module in ROOMS:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_rooms_are_imported_from_the_checkout_even_from_elsewhere(tmp_path: Path) -> None:
    program = f"import {', '.join(ROOMS)}\nfor m in ({', '.join(ROOMS)}): print(m.__file__)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True,
        capture_output=True, text=True,
    )  # fmt: skip

    assert done.stdout.splitlines() == [str(ROOT / room / "__init__.py") for room in ROOMS]


def test_the_version_is_the_newest_one_of_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    newest = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)

    assert newest
    assert newest[1] == version


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_check_is_silenced_wholesale_and_no_work_is_left_undone(path: Path) -> None:
    text = path.read_text("utf-8")
    code = "" if path == Path(__file__) else text

    assert not re.search(r"#\s*noqa(?!:\s*[A-Z]+\d)", code)
    assert not re.search(r"#\s*type:\s*ignore(?!\[)", code)
    assert not re.search(r"#\s*mypy:\s*ignore-errors", code)
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", code)


def test_no_file_names_a_place_of_one_machine_only() -> None:
    places = re.compile(r"(?<![\w.}])/(?:work|root|home|Users)/\w")
    found = [
        f"{_name(path)}: {line.strip()[:80]}"
        for path in _files()
        if path.suffix in TEXTS or path.name in {"Makefile", "Dockerfile", "run"}
        if path != Path(__file__)
        for line in path.read_text("utf-8").splitlines()
        if places.search(line) and "COPY " not in line
    ]

    assert found == []


def test_the_locks_carry_hashes_and_name_no_index() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text("utf-8")
        pins = re.findall(r"^[\w.-]+==", text, re.MULTILINE)

        assert len(pins) > 20
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text
        assert "--index-url" not in text


def test_the_commands_of_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    used = {
        (page.name, target)
        for page in pages
        for block in re.findall(r"`{3}.*?`{3}|`[^`\n]+`", page.read_text("utf-8"), re.DOTALL)
        for target in re.findall(r"(?:^|[\s`&])make ([a-z][a-z-]*)", block)
    }

    assert [(page, target) for page, target in sorted(used) if target not in targets] == []
    assert {"install", "demo", "check", "test", "bench"} <= targets


def test_relative_links_of_the_documents_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    dead = [
        f"{_name(page)}: {link}"
        for page in pages
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text("utf-8"))
        if not (page.parent / link).exists()
    ]

    assert dead == []


def test_ci_runs_what_the_readme_says() -> None:
    script = ROOT / ".ci" / "run"

    assert script.read_text("utf-8").splitlines()[-1] == "exec make test"
    assert script.stat().st_mode & stat.S_IXUSR


def test_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    listed = subprocess.run(
        ["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)

    assert phony
    assert set(re.findall(r"^  make ([a-z-]+) ", listed, re.MULTILINE)) == set(phony[1].split())
    assert max(map(len, listed.splitlines())) <= 80


CORE = sorted((ROOT / "streams" / "core").rglob("*.py"))


@pytest.mark.parametrize("path", CORE, ids=_name)
def test_the_core_imports_the_pure_part_of_the_standard_library_numpy_and_units_only(
    path: Path,
) -> None:
    for module in _imports(path):
        top = module.split(".")[0]
        if top == "streams":
            assert module == "streams" or module.startswith("streams.core"), module
        elif top == "schemas":
            assert ".".join(module.split(".")[:2]) in PURE_OF_SCHEMAS, module
        else:
            # numpy is arithmetic on columns: docs/decisions/0008
            assert top == "numpy" or top in sys.stdlib_module_names, module
            assert top not in NOT_IN_THE_CORE, module


@pytest.mark.parametrize("path", CORE, ids=_name)
def test_the_core_never_asks_what_time_it_is(path: Path) -> None:
    calls = {"now", "utcnow", "today"}
    asked = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in calls
    ]

    assert asked == []


def test_the_oracle_owes_nothing_to_what_it_checks() -> None:
    folder = ROOT / "tests" / "oracle"
    borrowed = [
        (_name(path), module)
        for path in folder.rglob("*.py")
        for module in _imports(path)
        if module.split(".")[0] in {"streams", "laddstream"}
    ]

    assert borrowed == []
