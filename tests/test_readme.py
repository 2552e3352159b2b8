"""README.md names what is there."""

from conftest import ROOT


def test_every_script_is_in_the_table_of_files():
    text = (ROOT / "README.md").read_text()
    scripts = [path.name for path in ROOT.glob("*.py")]
    assert scripts and not [name for name in scripts if f"| `{name}` |" not in text]


def test_every_picture_is_there():
    for name in ("README.md", "REPORT.md"):
        links = [part.split(")")[0] for part in (ROOT / name).read_text().split("](")[1:]]
        local = [link for link in links if not link.startswith("http")]
        assert local and all((ROOT / link).exists() for link in local)
