"""What the documents say exists, exists; what they must not say, they do not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def tracked(*patterns: str) -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("not a git checkout: the list of documents is not known")
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


DOCUMENTS = tracked("*.md")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_make_commands_named_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    benches = re.search(r"^BENCHES := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert benches is not None
    targets |= {f"bench-{name}" for name in benches.group(1).split()}
    for path in DOCUMENTS:
        for command in re.findall(r"`make ([a-z][a-z-]*[a-z])", path.read_text(encoding="utf-8")):
            assert command in targets, f"{path.name} names make {command}"


def test_no_file_names_a_package_index() -> None:
    # Spelled in parts, so that this file passes its own test.
    hosts = ["pypi" + ".org", "python" + "hosted", "npm" + "js", "--index" + "-url"]
    for path in tracked("*.md", "*.toml", "*.txt", "*.py", "Makefile", ".ci/run", "*.yml"):
        text = path.read_text(encoding="utf-8")
        for host in hosts:
            assert host not in text, f"{path.relative_to(ROOT)} names {host}"


def test_both_readmes_have_the_same_sections() -> None:
    english, french = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.fr.md"))
    assert english.count("\n## ") == french.count("\n## ") >= 4
    assert re.findall(r"```\n(.*?)```", english, re.DOTALL)[:1] == re.findall(r"```\n(.*?)```", french, re.DOTALL)[:1]
