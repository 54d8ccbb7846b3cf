import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TOOL = ROOT / "tools" / "render_sip.py"


def test_the_page_is_current() -> None:
    render = runpy.run_path(str(TOOL))["render"]
    found = (ROOT / "docs" / "sip-states.md").read_text(encoding="utf-8")
    assert found == render(), "run tools/render_sip.py"


def test_every_table_is_on_it() -> None:
    text = runpy.run_path(str(TOOL))["render"]()
    for row in (
        "| Calling | timer B | tell: timed out | Terminated |",
        "| answered | no_ack | over |",
        "| leaving | success | over |",
        "| known | due | asking |",
    ):
        assert row in text
