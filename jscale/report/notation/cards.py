"""The catalogue of laws as a Markdown document: a list by subject, and a card for each law.

``python -m jscale.report.notation.cards docs/laws.md`` writes it.
"""

import argparse
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from jscale._core.files import replacing
from jscale.laws import CONFIDENCE, LawFunction, Record, catalogue, describe
from jscale.runs import columns_of

_SIGNS = {"inf": "∞", "-inf": "−∞"}


LEFT_OUT: tuple[tuple[str, str], ...] = (
    (
        "Hoffmann et al. 2022, approaches 1 and 2",
        "procedures with exponents, not laws: `fit.isoflop`, `fit.training_curves`",
    ),
    (
        "Hoffmann et al. 2022, Tables A2 and A3",
        "projections of their fits; what the laws say, `plan.optimal` computes",
    ),
    (
        "Kaplan et al. 2020, L(C) at a batch that is not tuned",
        "its constants could not be confirmed",
    ),
    (
        "Hu et al. 2024 (MiniCPM)",
        "exponents alone are printed, no complete set: a trap of `chinchilla`",
    ),
    (
        "Henighan et al. 2020, constants of single modalities",
        "could not be confirmed; the form is `power_size`",
    ),
    (
        "Gadre et al. 2024 and Bhagia et al. 2024, laws of single tasks",
        "forms are here; their constants were not published",
    ),
    ("Kumar et al. 2024, C_w, C_a and C_kv", "not published; fit `precision_robust`"),
    ("BitNet, L(N) = a N^b + c", "`power_size`; no constants were published"),
    ("ParetoQ", "gives no parametric law"),
    (
        "Compression as a multiplier of parameters (arXiv 2502.16440), its table of shares",
        "could not be confirmed; `compressed` is the form",
    ),
    ("Zhao et al. 2025 (arXiv 2509.23678), five factors of experts", "could not be verified"),
    (
        "Tissue et al. 2024 and Busbridge et al. 2025, constants",
        "not published; `momentum_law` and `distilled` are the forms",
    ),
    (
        "Zhang et al. 2024, factor of the critical batch",
        "sources contradict each other; `critical_batch` is the form",
    ),
    (
        "Ruan et al. 2024, principal components",
        "a preparation of benchmark tables; `observational` takes their scores",
    ),
    (
        "Ho et al. 2024, separate rates for size and data",
        "not given; `algorithmic_progress` and `compute_gain` are here",
    ),
    (
        "Porian et al. 2024, exponents",
        "results of five protocols, not laws: `fit.isoflop` reproduces them",
    ),
)
"""What the literature has beside the catalogue: what, and why it is not a law here."""


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(headers), line(["---"] * len(headers)), *(line(row) for row in rows), ""]


def _code(text: str) -> str:
    return f"`{text}`"


def details(law: LawFunction) -> str:
    """The law's docstring after its first paragraph, as Markdown; empty where there is no more."""
    _, _, more = (inspect.getdoc(law) or "").partition("\n\n")
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", more).replace("``", "`")

    # After a blank line Markdown shows the indented lines of the example as code.
    return text.replace("Example:\n", "Example:\n\n")


def returns(record: Record, quote: Callable[[str], str] = str) -> str:
    """What a law's value is, and in which column fits look for it."""
    unit = "" if record.output.unit == "1" else f", in {record.output.unit}"
    column = (
        f"; runs have it in column {quote(record.output.column)}" if record.output.column else ""
    )
    return f"Returns {record.output.meaning}{unit}{column}"


def card(law: LawFunction) -> str:
    """Everything that is known of a law: formula, columns, parameters, published constants, limits,
    ridges, traps.
    """
    record, columns = describe(law), columns_of(law)
    lines = [f"### {record.name}", "", record.summary, "", "```", record.formula]
    lines += [f"{name} = {text}" for name, text in record.definitions]
    lines += ["```", ""]
    lines += [more, ""] if (more := details(law)) else []
    lines += _table(
        ("column", "unit", "meaning", "left out"),
        [
            (
                " or ".join(map(_code, columns[i.name])),
                i.unit,
                i.role.meaning,
                "–" if i.default is None else f"{_SIGNS.get(str(i.default), i.default)}",
            )
            for i in record.inputs
        ],
    )
    lines += _table(
        (
            "parameter",
            "unit",
            "meaning",
            "support",
            "prior of …",
            "… this, at the centre of the runs",
        ),
        [
            (
                _code(p.name),
                p.unit,
                p.role.meaning,
                str(p.support),
                str(p.role.prior),
                _code(p.coordinate),
            )
            for p in record.parameters
        ],
    )
    if record.published:
        lines += _published(record)
    lines += [f"- {returns(record, _code)}."]
    lines += [f"- Limit: {_code(text)} at {_code(where)}." for where, text in record.limits.items()]
    for words, names in (
        ("Never grows with", record.decreasing),
        ("Never falls with", record.increasing),
    ):
        lines += [f"- {words} {', '.join(map(_code, names))}."] if names else []
    lines += [f"- Ridge: {text}" for text in record.ridges]
    lines += [f"- Mind: {text}" for text in record.traps]
    lines += [f"- Source: {record.source}.", ""]
    return "\n".join(lines)


def _published(record: Record) -> list[str]:
    headers = ("constants", *map(_code, record.parameter_names), "source")
    rows = []
    for name, given in record.published.items():
        numbers = [
            f"{value:.10g}" + (f" ± {given.stderr[key]:g}" if key in given.stderr else "")
            for key, value in given.values.items()
        ]
        note = f"; {given.note}" if given.note else ""
        rows.append((_code(name), *numbers, f"{given.source} [{given.confidence}]{note}"))
    return _table(headers, rows)


def document() -> str:
    """All cards, after a list of the laws by subject."""
    records = [describe(law) for law in catalogue]
    lines = [
        "# The laws",
        "",
        f"{len(records)} laws. `jscale laws NAME` shows a card in the terminal, with `--json` for programs, `--latex`",
        "for papers; `jscale laws NAME --params SOURCE --at N=7e10,D=1.4e12` evaluates a law and its gradient.",
        "",
        "How sure the constants are: "
        + "; ".join(f"[{code}] {words}" for code, words in CONFIDENCE.items())
        + ".",
        "",
    ]
    for subject in dict.fromkeys(record.subject for record in records):
        lines += [f"## {subject.replace('_', ' ').capitalize()}", ""]
        of_subject = [law for law in catalogue if describe(law).subject == subject]
        lines += _table(
            ("law", "what"), [(_code(describe(f).name), describe(f).summary) for f in of_subject]
        )
        lines += [card(law) for law in of_subject]
    lines += ["## What is left out, and why", "", *_table(("what", "why"), LEFT_OUT)]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    with replacing(parser.parse_args().out.resolve()) as temporary:
        temporary.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
