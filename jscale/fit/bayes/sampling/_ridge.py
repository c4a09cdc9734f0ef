"""Coordinates in which the ridge between a floor, coefficients and exponents is nearly straight.

Runs on a ray (D = 20 N) identify the sum of the two terms and its slope, not which term it is: one
term is large and the other anything below it, or the other way round, an L in the logs of terms.
In the log of their sum and the log of their ratio the ridge is straight, and likewise in the log
of the slope of the sum and the log of the ratio of the exponents. Runs on a grid identify both
terms: where the noise leaves a ridge, it is one of the floor and a term, which bends in logs of
sums. Of 300 tables on a grid importance sampling by sums alone did not suffice for 26; a scan along
the floor by terms follows such ridges to their ends.

Runs identify the loss and its slope at their centre, not the floor: along the ridge the terms are
what is left of the loss above the floor, and an exponent is the slope over its term. In logs and
logits the ridge is curved, and neither chains nor a proposal at the mode reach its ends: on ladders
of eight sizes with an exponent of 0.1, 90% intervals held it in 65% of 40 tables, with ESS of 10 to
300 from 4,000 draws.
"""

from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jscale.fit.bayes._model import Problem
from jscale.fit.bayes.priors import CENTRED
from jscale.laws import Parameter, Record, describe

_SOFTENED = 0.1
"""Share of the floor below which a bent ridge ends softly: a floor stays positive."""
_HIGHEST_LOGIT = 3.0
"""Logit of the floor from which the ridge is bent by a constant."""
_ON_RAY = 0.95
"""Correlation of the logs of two inputs from which runs are taken to be on a ray."""
_CONSTANT = 1e-9
"""Range of a log below which an input is constant, up to rounding."""
_LEAST_EXCESS = 1.05
"""Typical loss over the highest floor, at least: the excess stays positive."""


def straightened(
    problem: Problem, values: Mapping[str, jax.Array]
) -> tuple[dict[str, jax.Array], jax.Array]:
    """Unconstrained values of the sites from straightened ones, and the log of the Jacobian.

    The log of a term is one value more than the log of the excess of the typical loss over the
    floor, and that of an exponent one less: a shear, whose Jacobian is 1. The floor itself is lower
    where the exponents of two terms differ, see :func:`_lowered`.

    Args:
        problem: law, priors and runs.
        values: site → straightened value.
    """
    shifted = dict(values)
    curvature = _separate(problem, shifted)
    floor = _floor(problem)
    if floor is None:
        return shifted, jnp.zeros(())

    site, highest = f"{floor}{CENTRED}", _highest_excess(problem)
    shifted[site], log_volume = _lowered(values[site], jnp.expm1(curvature), highest)
    excess = _log_excess(problem, shifted[site])
    for name, sign in _sheared(problem):
        if name in shifted:
            shifted[name] = shifted[name] + sign * excess
    return shifted, log_volume


def has_two_terms(problem: Problem) -> bool:
    """Whether a problem has coordinates by sums of terms besides those by terms."""
    return problem.pooling is None and _two_terms(problem) is not None


def is_on_ray(problem: Problem) -> bool:
    """Whether the logs of the inputs of two terms are on one line, or one input is constant.

    Runs of constant N / D do not identify the terms; those of one budget do, and are sampled as
    well by sums.
    """
    terms = _two_terms(problem)
    if terms is None or problem.pooling is not None:
        return False
    names, logs = [site.removesuffix(CENTRED) for site, _ in terms], []
    record, is_run = describe(problem.law), np.asarray(problem.arrays.is_run)
    for p in record.parameters:
        if p.name in names and p.role.anchor is not None:
            inputs = sorted(p.role.anchor.names & set(record.input_names))
            if len(inputs) != 1:
                return False
            logs.append(np.log(np.asarray(problem.inputs[inputs[0]])[is_run]))
    if min(np.ptp(x) for x in logs) < _CONSTANT:
        return True
    return bool(abs(np.corrcoef(logs)[0, 1]) > _ON_RAY)


def floor_site(problem: Problem) -> str | None:
    """The site of the one floor that all groups share; None without it."""
    floor = _floor(problem)
    return None if floor is None else f"{floor}{CENTRED}"


def exponent_sites(problem: Problem) -> tuple[str, ...] | None:
    """The sites of the exponents, if all have a positive prior and are shared; else None."""
    record = describe(problem.law)
    exponents = {p.name for p in record.parameters if p.role.name == "exponent"}
    grouped = set() if problem.pooling is None else dict(problem.pooling.modes)
    if exponents - _positive_exponents(record) or exponents & {*problem.replaced_priors, *grouped}:
        return None
    return tuple(sorted(exponents))


def along_ridge(problem: Problem, site: str, value: jax.Array) -> jax.Array:
    """An unconstrained value of a site: of the floor the log of the excess over it.

    The logs of terms and exponents are linear in it along a ridge.
    """
    floor = _floor(problem)
    return _log_excess(problem, value) if site == f"{floor}{CENTRED}" else value


def _log_excess(problem: Problem, logit: jax.Array) -> jax.Array:
    """Log of the typical loss less a floor, in units of the highest one."""
    return jnp.log(_highest_excess(problem) - jax.nn.sigmoid(logit))


def _highest_excess(problem: Problem) -> jax.Array:
    """Typical loss over the highest floor."""
    top = jnp.asarray(problem.centre["floor_max"])
    is_run = jnp.asarray(problem.arrays.is_run)
    typical = jnp.exp(jnp.mean(jnp.log(jnp.asarray(problem.loss)), where=is_run))
    return jnp.maximum(typical / top, _LEAST_EXCESS)


def _lowered(
    logit: jax.Array, curvature: jax.Array, highest: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Logit of the floor, and the log of its derivative to its straightened value.

    Runs on a ray identify the curvature of the loss along it: that of the sum of the terms, times
    the excess over the floor. The more the terms' exponents differ, the higher is the excess.

    Args:
        logit: of the floor whose excess a single power law would have.
        curvature: of the sum of the terms over that of one power law, less 1.
        highest: typical loss over the highest floor.
    """
    share, odds = jax.nn.sigmoid(logit), jnp.exp(jnp.minimum(logit, 50.0))
    lost = curvature * (highest / share - 1)
    left = (1 - lost) / _SOFTENED
    bounded = odds / (1 + odds * jnp.exp(-_HIGHEST_LOGIT))
    gained = curvature * (highest + (highest - 1) * bounded)
    # Of softplus the logarithm, which is linear far below 0, and its derivative.
    near = jnp.maximum(left, -20.0)
    log_left = jnp.where(left < -20.0, left, jnp.log(jax.nn.softplus(near)))
    steeper = jnp.where(left < -20.0, 1.0, jax.nn.sigmoid(near) / jax.nn.softplus(near)) / _SOFTENED
    lowered = logit + log_left - jnp.log(jax.nn.softplus(1 / _SOFTENED)) - jnp.log1p(gained)
    derivative = (
        1
        + steeper * curvature * highest * (1 - share) / share
        - curvature * (highest - 1) * bounded / (1 + odds * jnp.exp(-_HIGHEST_LOGIT)) / (1 + gained)
    )
    return lowered, jnp.log(derivative)


def _separate(problem: Problem, values: dict[str, jax.Array]) -> jax.Array:
    """Logs of two terms and of their exponents, from those of sum and ratio: the Jacobian is 1.

    Groups have terms of their own, and coordinates by terms.

    Returns:
        Log of the curvature of the sum along the ray, in units of that of one power law of its
        slope; 0 without two such terms, or by terms.
    """
    terms = _two_terms(problem)
    names = {name for pair in terms or () for name in pair}
    if terms is None or problem.pooling is not None or not names <= set(values):
        return jnp.zeros(())
    (first, alpha), (second, beta) = terms
    total, ratio, slope, ratio_of_exponents = (
        values[name] for name in (first, second, alpha, beta)
    )
    share, other = jax.nn.log_sigmoid(ratio), jax.nn.log_sigmoid(-ratio)
    mean = jnp.logaddexp(share + ratio_of_exponents, other)
    by_sum = jnp.asarray(problem.terms_by_sum) > 0
    apart = {
        first: total + share,
        second: total + other,
        beta: slope - mean,
        alpha: slope - mean + ratio_of_exponents,
    }
    values.update({name: jnp.where(by_sum, x, values[name]) for name, x in apart.items()})
    return jnp.where(by_sum, jnp.logaddexp(share + 2 * ratio_of_exponents, other) - 2 * mean, 0.0)


def _two_terms(problem: Problem) -> list[tuple[str, str]] | None:
    """The sites of two terms with an exponent each, and these exponents; None without them."""
    pairs = _own_exponents(problem)
    names = {name for pair in pairs for name in pair}
    return pairs if len(pairs) == 2 and len(names) == 4 else None


def _own_exponents(problem: Problem) -> list[tuple[str, str]]:
    """Sites of the terms that fall by one exponent each, and that exponent."""
    record, replaced = describe(problem.law), set(problem.replaced_priors)
    parameters, exponents = set(record.parameter_names), _positive_exponents(record) - replaced
    pairs = []
    for p in record.parameters:
        site = f"{p.name}{CENTRED}"
        if p.role.anchor is None or not _is_term(p) or {p.name, site} & replaced:
            continue
        own = p.role.anchor.names & parameters
        if len(own) == 1 and own <= exponents:
            pairs.append((site, *own))
    return pairs


def _floor(problem: Problem) -> str | None:
    """The one floor that has its default prior, up to the highest that the runs allow.

    None where groups have floors of their own: their ridges are not those of the typical group.
    """
    if problem.errors.additive:  # losses may be negative
        return None
    grouped = {} if problem.pooling is None else dict(problem.pooling.modes)
    floors = [
        p.name
        for p in describe(problem.law).parameters
        if p.role.anchor is not None and p.role.anchor.multiplies == "1 / floor_max"
    ]
    if len(floors) != 1 or floors[0] in grouped:
        return None
    if {floors[0], f"{floors[0]}{CENTRED}"} & set(problem.replaced_priors):
        return None
    return floors[0]


def _sheared(problem: Problem) -> Iterator[tuple[str, float]]:
    """Sites of terms, with 1, and of the exponents in their anchors, with -1."""
    record, replaced = describe(problem.law), problem.replaced_priors
    exponents: set[str] = set()
    for p in record.parameters:
        site = f"{p.name}{CENTRED}"
        if not _is_term(p) or {p.name, site} & set(replaced):
            continue
        yield site, 1.0
        assert p.role.anchor is not None
        exponents |= p.role.anchor.names & _positive_exponents(record)
    for name in sorted(exponents - set(replaced)):
        yield name, -1.0


def _is_term(parameter: Parameter) -> bool:
    """Whether the coordinate is a term of the loss at the typical run, with a lognormal prior."""
    role = parameter.role
    is_lognormal = role.prior is not None and role.prior.family == "lognormal"
    is_shift = role.anchor is None or role.anchor.multiplies == "1" or role.anchor.power != "1"
    return role.unit.startswith("nats/token at") and is_lognormal and not is_shift


def _positive_exponents(record: Record) -> set[str]:
    """Exponents without an anchor whose priors are lognormal: their free value is a logarithm."""
    return {
        p.name
        for p in record.parameters
        if p.role.name == "exponent"
        and p.role.anchor is None
        and p.role.prior is not None
        and p.role.prior.family == "lognormal"
    }
