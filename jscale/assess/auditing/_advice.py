"""What to do about a note, by its code: of checks, of reading a table and of a fit."""

from jscale.assess.auditing.checks import CHECKS

OF_READING = {
    "checkpoints": "name the run of each row in a column run_id: errors are then clustered by run; "
    "or keep the last row of each",
    "compute-disagrees": "compare N, D and C of these rows with their source",
    "duplicate-runs": "leave one of each out, or say in a column seed that they are two runs",
    "event-file-cut": "read the file again when the run has ended",
    "ignored-bits": "fit a law with these bits, or keep runs of one precision: --where 'P_w == 16'",
    "large-loss": "name the column 'perplexity', or mark diverged runs in a column 'exclude'",
    "mixed-metrics": "keep the rows of one metric: --where",
    "mixed-n-kind": "count the same parameters in all rows",
    "no-loss": "name the column of the loss: --column loss=NAME",
    "one-level": "vary it, or fit a law without it",
    "one-ratio": "add runs at other ratios: the same N with 4 times and with a quarter of the "
    "tokens, at two sizes or more",
    "one-row": "add runs",
    "quantised-better": "evaluate both models on the same data, context and tokenizer",
    "suspicious-scale": "give the unit in the header: params_m, tokens_b",
    "text-splits": "fit each part by itself (--group-by COLUMN), or keep one: --where",
    "unfinished-runs": "wait for them, or leave them out: --strict makes them an error",
    "unit-disagrees": "write the unit in the header or in the cells, not in both",
    "unread-column": "name it: --column N='HEADER'",
    "unread-formats": "say of what the bits are: --column P_w='HEADER'",
}
"""Code of a note that reading a table makes → what to do about it."""
OF_FITS = {
    "absolute-losses": "subtract the loss of the same model in 16 bits",
    "at-bound": "fix the parameter at the bound, or choose a law without it",
    "collinear-design": "fix or tie one of the parameters (--fix, --tie), or add runs that "
    "separate them",
    "not-converged": "raise --starts, fix parameters, or choose a simpler law",
    "not-fitted": "choose a law that these columns can be fitted with: jscale laws --for RUNS",
    "saturated": "add runs, or fix parameters",
}
"""Code of a note that a fit makes → what to do about it."""


def advice(code: str) -> str:
    """What to do about a note of :func:`audit`; empty where nothing needs to be done.

    Args:
        code: of the note.

    Example:
        >>> from jscale import assess
        >>> assess.advice("checkpoints")[:40]
        'name the run of each row in a column run'
    """
    return all_advice().get(code, "")


def all_advice() -> dict[str, str]:
    """Code → what to do about it, of every check and of the notes that checks share with others."""
    of_checks = {code: text for each in CHECKS for code, text in each.advice.items()}
    return OF_READING | OF_FITS | of_checks
