"""README.md and docs/: short, their links lead somewhere, and their commands work."""

import importlib
import os
import re
import shutil

import pytest
from conftest import ROOT, blocks, commands

import settings
import table
import util

DOCS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
PAGES = ["README.md", "REPORT.md", "CONTRIBUTING.md", *DOCS]
TINY = {  # what makes a command of a page cheap
    "train.py": "--n_batch 20 --n_neu 8 --workers 1",
    "generalize.py": "--n_fit 1 --n_batch 20 --n_test 16 --n_ridge 100",
}


def text_of(page):
    """A page without its comments and code blocks."""
    text = re.sub(r"<!--.*?-->", "", (ROOT / page).read_text(), flags=re.S)
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def anchors(page):
    """What a link to a heading of a page may say, as GitHub makes it."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table_of_files():
    lines = (ROOT / "README.md").read_text().splitlines()
    first = lines.index("| you look for | it is in |")
    return re.findall(r"`([^`]+)`", "\n".join(lines[first : lines.index("", first)]))


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text()) <= 9000


def test_the_table_of_files_is_complete_and_true():
    names = table_of_files()
    assert not {path.name for path in ROOT.glob("*.py")} - set(names)
    assert not [name for name in names if not (ROOT / name).exists()]


def test_every_page_is_found_from_the_readme():
    found = ["README.md"]
    for page in found:
        links = re.findall(r"\]\(([^)#]+)", text_of(page))
        paths = [os.path.normpath(f"{os.path.dirname(page)}/{link}".lstrip("/")) for link in links]
        found += [path for path in dict.fromkeys(paths) if path in PAGES and path not in found]
    assert set(found) == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)]+)\)", text_of(page)):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        path = (ROOT / page).parent / name.replace("%20", " ") if name else ROOT / page
        assert path.exists(), link
        assert not anchor or anchor in anchors(path.resolve().relative_to(ROOT)), link


def test_the_help_of_every_script_names_its_page():
    scripts = [x.stem for x in ROOT.glob("*.py") if "run_script(main, Config)\n" in x.read_text()]
    assert len(scripts) > 8
    for name in scripts:
        words = importlib.import_module(name).Config.__doc__
        assert re.search(r"More: (docs/\w+\.md)\.", words)[1] in DOCS, name


def test_headings_that_the_code_refers_to_are_in_the_protocol():
    text = (ROOT / "docs/protocol.md").read_text()
    headings = tuple(line.removeprefix("## ") for line in text.splitlines() if line)
    for path in [*ROOT.glob("*.py"), *ROOT.glob("Figures/*.py")]:
        for part in path.read_text().split("docs/protocol.md, ")[1:]:
            assert part.startswith(headings), (path, part[:40])


def check(words):
    """Would a command start?"""
    if "--wrap" in words:  # of sbatch
        words = words[words.index("--wrap") + 1].replace("$SLURM_ARRAY_TASK_ID", "1").split()
    program, *words = words[: words.index(">")] if ">" in words else words
    if program == "make":
        assert f"\n{words[0]}:" in (ROOT / "Makefile").read_text()
    elif program.endswith("python"):
        script, *options = words
        assert (ROOT / script).exists(), script
        if script.startswith("Figures/"):
            assert len(options) <= 2 and not any(word.startswith("-") for word in options)
            return
        config = util.parse(importlib.import_module(script.removesuffix(".py")).Config, options)
        if script == "train.py":
            settings.network_configs(config)
        elif callable(getattr(config, "check", None)):
            config.check()
    else:
        assert program in (".", ".venv/bin/dask")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_would_start(page):
    inline = [code.split() for code in re.findall(r"`(python [^`]+\.py[^`]*)`", text_of(page))]
    for words in [*commands(page), *inline]:
        if not {"SSM", "Circles", "X.py", "Figures/Fig<name>.py"} & set(words):  # test_extending
            check(words)


def test_every_wish_can_be_had():
    script = ""
    for line in (ROOT / "docs/settings.md").read_text().splitlines():
        if found := re.match(r"\| for `(.*)` \| say \|", line):
            script = found[1]
        elif line.startswith("#"):
            script = ""
        for options in re.findall(r"`(--[^`]+)`", line) if script and line[0:1] == "|" else ():
            check(["python", script, *options.split()])
    assert not script


def test_the_workflow_runs(tmp_path, script, monkeypatch):
    (tmp_path / "Networks/gpt-2").mkdir(parents=True)
    shutil.copy(ROOT / "Networks/gpt-2/gpt-2_nTask2_run0.pth", tmp_path / "Networks/gpt-2")
    monkeypatch.chdir(tmp_path)
    done = []
    for name, *options in [words[1:] for words in commands("README.md")]:
        if name in TINY:
            code, _, err = script(name.removesuffix(".py"), *options, *TINY[name].split())
            assert code == 0, (name, options, err)
            done.append(name)
    assert done == ["train.py", "train.py", "generalize.py", "generalize.py"]
    assert table.read("mine/results.csv").query("measure == 'quadrant'")["r2"].notna().all()
    assert set(table.read("trained_networks/results.csv")["n_task"]) == {2, 6, 24}


@pytest.mark.parametrize("page", [page for page in DOCS if "extending" not in page])
def test_python_in_pages_runs(page, tmp_path, monkeypatch):
    for name in ("Data", "Networks"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    for code in blocks(page, "python"):
        exec(code, {})
