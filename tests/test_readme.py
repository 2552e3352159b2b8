"""README.md and docs/ name what is there."""

from conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "REPORT.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_script_is_in_the_table_of_files():
    text = (ROOT / "README.md").read_text()
    scripts = [path.name for path in ROOT.glob("*.py")]
    assert scripts and not [name for name in scripts if f"| `{name}` |" not in text]


def test_every_file_of_the_table_is_there():
    lines = (ROOT / "README.md").read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("| file |"))
    rows = lines[first + 2 : lines.index("", first)]
    names = [name for row in rows for name in row.split("|")[1].split("`")[1::2]]
    assert len(names) > 30 and not [name for name in names if not (ROOT / name).exists()]


def test_every_link_leads_somewhere():
    for page in PAGES:
        text = page.read_text()
        headings = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
        anchors = {"#" + heading.lower().replace(" ", "-") for heading in headings}
        links = [part.split(")")[0] for part in text.split("](")[1:]]
        local = [link for link in links if not link.startswith("http")]
        assert local or page.parent.name == "docs"
        assert not [x for x in local if not (x in anchors or (page.parent / x).exists())], page


def test_headings_that_the_code_refers_to_are_in_the_protocol():
    text = (ROOT / "docs/protocol.md").read_text()
    headings = tuple(line.removeprefix("## ") for line in text.splitlines() if line)
    for path in [*ROOT.glob("*.py"), *ROOT.glob("Figures/*.py")]:
        for part in path.read_text().split("docs/protocol.md, ")[1:]:
            assert part.startswith(headings), (path, part[:40])
