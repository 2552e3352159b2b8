"""README.md names what is there."""

from conftest import ROOT


def test_every_script_is_in_the_table_of_files():
    text = (ROOT / "README.md").read_text()
    scripts = [path.name for path in ROOT.glob("*.py")]
    assert scripts and not [name for name in scripts if f"| `{name}` |" not in text]


def test_every_link_leads_somewhere():
    for name in ("README.md", "REPORT.md"):
        text = (ROOT / name).read_text()
        headings = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
        anchors = {"#" + heading.lower().replace(" ", "-") for heading in headings}
        links = [part.split(")")[0] for part in text.split("](")[1:]]
        local = [link for link in links if not link.startswith("http")]
        assert local
        assert not [link for link in local if not (link in anchors or (ROOT / link).exists())]
