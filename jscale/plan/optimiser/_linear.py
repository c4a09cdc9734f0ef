"""Small linear systems written out, so that they run over many problems at once."""

import jax
import jax.numpy as jnp

_FLOOR = 1e-10


def reflected_solve(matrix: jax.Array, rhs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``matrix**-1 rhs`` with the absolute value of every pivot, and the smallest pivot.

    For a positive definite symmetric matrix the solution of the system; otherwise that of a
    positive definite matrix near it, so that a Newton step descends.

    Args:
        matrix: (n, n), symmetric, n small: the loops are unrolled.
        rhs: (n, k).
    """
    n = matrix.shape[0]
    if n == 0:
        return rhs, jnp.ones((), rhs.dtype)
    floor = _FLOOR * jnp.max(jnp.abs(matrix)) + jnp.finfo(matrix.dtype).tiny
    rows = [[matrix[i, j] for j in range(n)] for i in range(n)]
    right = [rhs[i] for i in range(n)]
    smallest = jnp.asarray(jnp.inf, matrix.dtype)
    pivots = []
    for i in range(n):
        smallest = jnp.minimum(smallest, rows[i][i])
        pivot = jnp.maximum(jnp.abs(rows[i][i]), floor)
        pivots.append(pivot)
        for k in range(i + 1, n):
            factor = rows[k][i] / pivot
            for j in range(i + 1, n):
                rows[k][j] = rows[k][j] - factor * rows[i][j]
            right[k] = right[k] - factor * right[i]
    solution: list[jax.Array] = [right[0]] * n
    for i in reversed(range(n)):
        total = right[i]
        for j in range(i + 1, n):
            total = total - rows[i][j] * solution[j]
        solution[i] = total / pivots[i]
    return jnp.stack(solution), smallest
