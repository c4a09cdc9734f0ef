"""The catalogue of laws as a Markdown document: a list by subject, and a card for each law.

``python -m jscale.report.notation.cards docs/laws.md`` writes it.
"""

import argparse
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jscale._core.files import replacing
from jscale.laws import CONFIDENCE, LawFunction, Record, catalogue, describe
from jscale.runs import columns_of

_SIGNS = {"inf": "∞", "-inf": "−∞"}
_INPUT_HEADERS = ("column", "unit", "meaning", "default")
_PARAMETER_HEADERS = (
    "parameter",
    "unit",
    "meaning",
    "support",
    "prior",
    "coordinate",
)


NOT_IN_CATALOGUE: tuple[tuple[str, str], ...] = (
    (
        "Hoffmann et al. 2022, approaches 1 and 2",
        "fitting procedures, not laws: `fit.isoflop`, `fit.training_curves`",
    ),
    (
        "Hoffmann et al. 2022, Tables A2 and A3",
        "projections of their fits; `plan.optimal` computes such tables",
    ),
    (
        "Kaplan et al. 2020, L(C) at a batch that is not tuned",
        "its constants could not be confirmed",
    ),
    (
        "Hu et al. 2024 (MiniCPM)",
        "only the exponents are printed; see the pitfalls of `chinchilla`",
    ),
    (
        "Henighan et al. 2020, constants of single modalities",
        "could not be confirmed; the form is `power_size`",
    ),
    (
        "Gadre et al. 2024 and Bhagia et al. 2024, laws of single tasks",
        "the forms are in the catalogue; the constants were not published",
    ),
    ("Kumar et al. 2024, C_w, C_a and C_kv", "not published; fit `precision_robust`"),
    ("BitNet, L(N) = a N^b + c", "`power_size`; no constants were published"),
    ("ParetoQ", "no parametric law"),
    (
        "Compression as a multiplier of parameters (arXiv 2502.16440), its table of shares",
        "could not be confirmed; `compressed` is the form",
    ),
    (
        "Castro et al. 2025 (arXiv 2505.14669), gradients rounded by QuEST",
        "no multiplier describes their four runs; see `quartet`",
    ),
    (
        "Dremov et al. 2025 (arXiv 2509.22935), law of the loss in tokens of both phases",
        "the sign of its power of the tokens in full precision could not be confirmed, and its "
        "constants were not found; `qat_share` is their fit of the best share",
    ),
    (
        "Vlassis et al. 2025 (arXiv 2509.23500), E, A and alpha of each optimiser",
        "not found; `optimiser_qat` is the form, and `QAT_OPTIMISERS` has rho",
    ),
    (
        "Zhou et al. 2025 (arXiv 2508.18609), the scale A, and the powers of each kind of task",
        "A was not found, and one transcription alone has the powers; `ptq_log_score` is the form",
    ),
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
        "a preprocessing of benchmark tables; `observational` takes the scores as inputs",
    ),
    (
        "Ho et al. 2024, separate rates for size and data",
        "not published; see `algorithmic_progress` and `compute_gain`",
    ),
    (
        "Porian et al. 2024, exponents",
        "results of five protocols, not laws: `fit.isoflop` reproduces them",
    ),
    (
        "Kim et al. 2025 (arXiv 2509.14786), ensembles at infinite compute",
        "one model at given data is `power_size`; the form of the tail over the members of an "
        "ensemble has one transcription",
    ),
    (
        "Lovelace et al. 2026 and Bryant & Liu 2026, their constants",
        "not found; `overfitting_penalty` and `bounded_multi_epoch` have fits of this project",
    ),
    (
        "Schwethelm et al. 2026, constants of looped models but phi",
        "not found; `looped` is the form",
    ),
    (
        "Gao et al. 2022, coefficients of rewards by the size of the reward model",
        "printed in figures only; `best_of_n_reward` and `rl_reward` are the forms",
    ),
    (
        "Roberts et al. 2026, accuracy of many samples by a beta distribution",
        "its constants were not found; `train_to_test` is their law of the loss",
    ),
    (
        "Li & Maddison 2026, rates lowered as the weights grow",
        "an algorithm over 100 intervals of a run; `noisy_quadratic` is the system that they fit",
    ),
)
"""Published results without a law in the catalogue, and the reason."""


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(headers), line(["---"] * len(headers)), *(line(row) for row in rows), ""]


def _code(text: str) -> str:
    return f"`{text}`"


def _details(law: LawFunction) -> str:
    """The law's docstring after its first paragraph, as Markdown; empty where there is no more."""
    _, _, more = (inspect.getdoc(law) or "").partition("\n\n")
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", more).replace("``", "`")

    # After a blank line Markdown shows the indented lines of the example as code.
    return text.replace("Example:\n", "Example:\n\n")


@dataclass(frozen=True)
class InputRow:
    """An input of a law.

    Attributes:
        columns: columns of a table that fits read it from, the first present one.
        unit: of its values.
        meaning: its role in words.
        default: its value for a table without such a column; None where a column is required.
    """

    columns: tuple[str, ...]
    unit: str
    meaning: str
    default: float | None


@dataclass(frozen=True)
class ParameterRow:
    """A parameter of a law.

    Attributes:
        name: of the parameter.
        unit: of its values.
        meaning: its role in words.
        support: values it can take.
        prior: prior of its coordinate.
        start: range from which fits start; None where the role has none.
        coordinate: function of the parameter at the centre of the runs, which has the prior.
    """

    name: str
    unit: str
    meaning: str
    support: str
    prior: str
    start: tuple[float, float] | None
    coordinate: str


@dataclass(frozen=True)
class Card:
    """The description of a law, for the terminal and for Markdown.

    Attributes:
        record: the law's record: its name, summary, formula and published constants.
        details: the docstring after its first paragraph.
        inputs: a row for each input.
        parameters: a row for each parameter.
    """

    record: Record
    details: str
    inputs: tuple[InputRow, ...]
    parameters: tuple[ParameterRow, ...]

    def facts(self, quote: Callable[[str], str] = str) -> dict[str, list[str]]:
        """Kind of fact → sentences: what the law returns, its limits, parameter trade-offs ….

        Args:
            quote: marks names and formulas, such as with backticks.
        """
        record = self.record
        signs = (("never grows with", record.decreasing), ("never falls with", record.increasing))
        monotone = [f"{words} {', '.join(map(quote, names))}" for words, names in signs if names]
        limits = [f"limit: {quote(text)} at {quote(at)}" for at, text in record.limits.items()]
        return {
            "returns": [_returns(record, quote)],
            "limits": limits,
            "monotone": monotone,
            "ridges": [f"trade-off: {text}" for text in record.ridges],
            "traps": [f"pitfall: {text}" for text in record.traps],
            "source": [f"source: {record.source}"],
        }


def card(law: LawFunction) -> Card:
    """The card of a law."""
    record, columns = describe(law), columns_of(law)
    inputs = [
        InputRow(tuple(columns[each.name]), each.unit, each.role.meaning, each.default)
        for each in record.inputs
    ]
    parameters = [
        ParameterRow(
            name=each.name,
            unit=each.unit,
            meaning=each.role.meaning,
            support=str(each.support),
            prior=str(each.role.prior),
            start=each.role.start,
            coordinate=each.coordinate,
        )
        for each in record.parameters
    ]
    return Card(record, _details(law), tuple(inputs), tuple(parameters))


def _returns(record: Record, quote: Callable[[str], str]) -> str:
    """The meaning and unit of a law's value, and the column that holds it."""
    text = f"Returns {record.output.meaning}"
    if record.output.unit != "1":
        text += f", in {record.output.unit}"
    if record.output.column:
        text += f"; runs have it in column {quote(record.output.column)}"
    return text


def markdown(law: LawFunction) -> str:
    """The card of a law in Markdown."""
    content = card(law)
    record = content.record
    lines = [f"### {record.name}", "", record.summary, "", "```", record.formula]
    lines += [f"{name} = {text}" for name, text in record.definitions]
    lines += ["```", ""]
    if content.details:
        lines += [content.details, ""]
    lines += _table(_INPUT_HEADERS, map(_input_cells, content.inputs))
    lines += _table(_PARAMETER_HEADERS, map(_parameter_cells, content.parameters))
    if record.published:
        lines += _published(record)
    lines += _fact_lines(content)
    return "\n".join([*lines, ""])


def _input_cells(row: InputRow) -> tuple[str, ...]:
    columns = " or ".join(map(_code, row.columns))
    default = "–" if row.default is None else _SIGNS.get(str(row.default), str(row.default))
    return columns, row.unit, row.meaning, default


def _parameter_cells(row: ParameterRow) -> tuple[str, ...]:
    name, coordinate = _code(row.name), _code(row.coordinate)
    return name, row.unit, row.meaning, row.support, row.prior, coordinate


def _fact_lines(content: Card) -> list[str]:
    """The facts as a list; ridges and traps are whole sentences with their own full stops."""
    lines = []
    for kind, sentences in content.facts(_code).items():
        stop = "" if kind in ("ridges", "traps") else "."
        lines += [f"- {text[:1].upper()}{text[1:]}{stop}" for text in sentences]
    return lines


def _published(record: Record) -> list[str]:
    """The published constants, a row for each source."""
    headers = ("constants", *map(_code, record.parameter_names), "source")
    rows = []
    for name, constants in record.published.items():
        errors = constants.stderr
        numbers = [
            f"{value:.10g}" + (f" ± {errors[key]:g}" if key in errors else "")
            for key, value in constants.values.items()
        ]
        note = f"; {constants.note}" if constants.note else ""
        source = f"{constants.source} [{constants.confidence}]{note}"
        rows.append((_code(name), *numbers, source))
    return _table(headers, rows)


def document() -> str:
    """All cards, after a list of the laws by subject."""
    by_subject: dict[str, list[LawFunction]] = {}
    for law in catalogue:
        by_subject.setdefault(describe(law).subject, []).append(law)

    confidence = "; ".join(f"[{code}] {words}" for code, words in CONFIDENCE.items())
    lines = [
        "# The laws",
        "",
        f"{len(catalogue)} laws. `jscale laws NAME` shows a card in the terminal, with `--json` for"
        " programs, `--latex`",
        "for papers; `jscale laws NAME --params SOURCE --at N=7e10,D=1.4e12` evaluates a law and"
        " its gradient.",
        "",
        f"Confidence in the constants, the code in brackets behind their source: {confidence}.",
        "",
        "Prior: of the coordinate, the function of the parameter beside it, at the centre of the"
        " runs.",
        "",
    ]
    for subject, group in by_subject.items():
        lines += [f"## {subject.replace('_', ' ').capitalize()}", ""]
        records = [describe(law) for law in group]
        lines += _table(
            ("law", "summary"), [(_code(record.name), record.summary) for record in records]
        )
        lines += [markdown(law) for law in group]
    lines += ["## Not in the catalogue", "", *_table(("result", "reason"), NOT_IN_CATALOGUE)]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    with replacing(parser.parse_args().out.resolve()) as temporary:
        temporary.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
