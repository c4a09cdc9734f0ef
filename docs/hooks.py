"""What the site adds to the pages of this folder, as hooks of MkDocs.

Pages made from other files of the repository (the README as the first page, the changelog, the
notebooks, one page for each public module), and formulas as MathML, which browsers draw without a
script. Nothing is computed here: the gallery's figures are drawn by ``make gallery``, and a
notebook's outputs are shown where ``JSCALE_EXECUTED`` names a folder of executed copies.
"""

import base64
import html
import json
import os
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
COPIES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "jscale/runs/tables/precision_runs.md": "precision-table.md",
}
"""File of the repository → its page."""
MODULES = {
    "laws": "jscale.laws",
    "formats": "jscale.laws.formats",
    "roles": "jscale.laws.roles",
    "schedule": "jscale.laws.schedule",
    "runs": "jscale.runs",
    "fit": "jscale.fit",
    "plan": "jscale.plan",
    "costs": "jscale.plan.costs",
    "reductions": "jscale.plan.reductions",
    "assess": "jscale.assess",
    "report": "jscale.report",
    "plots": "jscale.report.plots",
    "numbers": "jscale.report.tables",
}
"""Page of the reference → public module."""
_ALL = "    options:\n      show_if_no_docstring: true\n"
_CODE = re.compile(r"(^(?P<fence>```+|~~~+).*?^(?P=fence)\s*$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
_DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
_INLINE = re.compile(r"(?<![\\$\w])\$(?!\s)([^$\n]+(?:\n[^$\n]+)?)(?<!\s)\$(?![\d$])")
_IMAGE = re.compile(r"!\[([^\]]*)\]\((notebooks/[^)]+\.png)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made from other files."""
    for source, page in COPIES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_linked(text)))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        page = f"notebooks/{path.stem}.md"
        files.append(File.generated(config, page, content=notebook_page(path)))
    for page, module in MODULES.items():
        # Roles are named types, documented by the table of a law's card rather than one by one.
        options = _ALL if page in ("roles", "schedule") else ""
        text = f"# {module}\n\n::: {module}\n{options}"
        files.append(File.generated(config, f"api/{page}.md", content=text))
    for path in sorted((ROOT / "notebooks").glob("*.png")):
        image = File.generated(config, f"notebooks/{path.name}", abs_src_path=str(path))
        files.append(image)
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with its formulas as MathML."""
    parts = _CODE.split(markdown)
    # The pattern has two groups: text, code, fence, text, …
    for i in range(0, len(parts), 3):
        parts[i] = _INLINE.sub(_inline, _DISPLAY.sub(_display, parts[i]))
    kept = [part for i, part in enumerate(parts) if i % 3 != 2]
    return "".join(kept)


def _display(match: re.Match[str]) -> str:
    # Without a line break: Markdown would make paragraphs of the parts.
    formula = convert(" ".join(match[1].split()), display="block")
    return f"<div style='overflow-x: auto'>{formula}</div>"


def _inline(match: re.Match[str]) -> str:
    # A line that begins with <math> would be a paragraph of its own.
    return f"<span>{convert(' '.join(match[1].split()))}</span>"


def _linked(text: str) -> str:
    """A file of the repository's root with links to pages of the site."""
    pages = {**COPIES, **{f"docs/{p.name}": p.name for p in (ROOT / "docs").glob("*.md")}}
    notebooks = (ROOT / "notebooks").glob("*.ipynb")
    pages |= {f"notebooks/{p.name}": f"notebooks/{p.stem}.md" for p in notebooks}

    def target(match: re.Match[str]) -> str:
        path, hash_, anchor = match[2].partition("#")
        return f"{match[1]}({pages.get(path, path)}{hash_}{anchor})"

    return re.sub(r"(\]|\[[^\]]*\])\(([^)\s]+)\)", target, text)


def notebook_page(path: Path) -> str:
    """A notebook as Markdown, with the outputs of an executed copy if there is one."""
    executed = Path(os.environ.get("JSCALE_EXECUTED", "")) / path.name
    source = executed if os.environ.get("JSCALE_EXECUTED") and executed.exists() else path
    blocks = []
    for cell in json.loads(source.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            blocks.append(re.sub(r"`(\d\d_\w+|quickstart)\.ipynb`", r"[\1](\1.md)", text))
            continue
        blocks.append(f"```python\n{text}\n```")
        blocks += [block for output in cell.get("outputs", []) if (block := _output(output))]
    return "\n\n".join(blocks) + "\n"


def _output(output: dict[str, Any]) -> str:
    """An output of a cell: text, or an image inside the page."""
    data = output.get("data", {})
    if "image/png" in data:
        png = base64.b64encode(base64.b64decode(data["image/png"])).decode()
        return f'<img alt="figure" src="data:image/png;base64,{png}">'
    text = "".join(output.get("text", data.get("text/plain", "")))
    return f"<pre class='output'>{html.escape(text)}</pre>" if text.strip() else ""
