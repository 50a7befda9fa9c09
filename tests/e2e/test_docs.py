"""The documents: links lead somewhere, and the commands they show exist."""

import re
import subprocess

import pytest
from support.mms import PROGRAM, ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")], key=str)


def anchors(text):
    """The anchors of a document's headings, as Git hosts make them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = document.parent / path if path else document
        assert linked.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), f"{target} has no such heading"


def test_commands_in_documents_exist():
    shown = set()
    for document in DOCUMENTS:
        for block in re.findall(r"```sh\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
            shown |= set(re.findall(r"^mms ([a-z]+)", block, re.MULTILINE))
    assert {"migrate", "preview", "status", "rollback", "doctor"} <= shown
    for command in sorted(shown):
        answer = subprocess.run([PROGRAM, command, "--help"], capture_output=True, text=True)
        assert answer.returncode == 0, f"mms {command} is in the documents but is no command: {answer.stderr}"


def toml_blocks(document):
    return re.findall(r"```toml\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)


def test_the_configurations_of_the_readme_are_sound(tmp_path):
    whole = [block for block in toml_blocks("README.md") if "[directory]" in block]
    smtp = next(block for block in toml_blocks("README.md") if block.startswith("[smtp]"))
    assert len(whole) == 2
    (tmp_path / "users.csv").write_text(
        re.search(r"```csv\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1])
    for secret in ("dav-password", "smtp-password"):
        (tmp_path / secret).write_text("secret\n")
    for block in whole:
        block = block.replace("/srv/calendars", ".")
        (tmp_path / "mms.toml").write_text(f'{block}\n{smtp}\n[store]\npath = "mms.db"\n')
        answer = subprocess.run([PROGRAM, "--config", tmp_path / "mms.toml", "config", "check"],
                                capture_output=True, text=True)
        assert answer.returncode == 0, f"{block}\n{answer.stdout}{answer.stderr}"


@pytest.mark.parametrize("document", ["caldav", "ics-folders", "jitsi", "skype", "template-platform", "smtp"])
def test_the_sections_of_the_documents_are_sound(document, tmp_path):
    blocks = toml_blocks(f"docs/{document}.md")
    text = "\n".join(blocks).replace("/srv/calendars", ".")
    (tmp_path / "users.csv").write_text("upn\nalice@example.org\n")
    for secret in re.findall(r'_file = "([^"]+)"', text):
        (tmp_path / secret).write_text("a secret that is long enough\n")
    if "[calendar." not in text:
        text += '\n[calendar.files]\nkind = "ics"\nroot = "."\n'
    if "[smtp]" not in text:
        text += '\n[engine]\nnotify = "none"\n'
    (tmp_path / "mms.toml").write_text(f'[directory]\nfile = "users.csv"\n{text}\n[store]\npath = "mms.db"\n')
    answer = subprocess.run([PROGRAM, "--config", tmp_path / "mms.toml", "config", "check"], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
