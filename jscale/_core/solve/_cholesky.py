"""The inverse of a Cholesky factor, by matrix products alone.

LAPACK's triangular solves run in the threads of OpenBLAS, which wait for each other by spinning:
on a machine with other work, or under several chains, one solve with a matrix of 40 rows takes 7 ms
in place of 0.03 ms. Products of matrices of this size are compiled into the program.
"""

import jax
import jax.numpy as jnp

_BLOCK = 5
"""Rows of the diagonal blocks that are inverted by substitution; 40 rows are 8 of them."""


@jax.custom_jvp
def inverse_cholesky(matrix: jax.Array) -> jax.Array:
    """The inverse (n, n) of the lower Cholesky factor of a positive definite matrix (n, n).

    With it, ``inverse @ x`` solves for the factor, ``inverse.T @ inverse @ x`` for the matrix, and
    the log determinant of the matrix is ``-2 log diag(inverse)``, summed. Values are NaN where the
    matrix is not positive definite.

    Example:
        >>> import jax.numpy as jnp
        >>> from jscale._core.solve import inverse_cholesky
        >>> inverse_cholesky(jnp.array([[4.0, 0.0], [0.0, 25.0]])).tolist()
        [[0.5, 0.0], [0.0, 0.20000000298023224]]
    """
    return inverse_of_lower(jnp.linalg.cholesky(matrix))


@inverse_cholesky.defjvp
def _(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (matrix,), (tangent,) = primals, tangents
    inverse = inverse_cholesky(matrix)
    inner = jnp.tril(inverse @ tangent @ inverse.T)
    inner = inner - 0.5 * jnp.diag(jnp.diagonal(inner))
    return inverse, -inner @ inverse


def inverse_of_lower(factor: jax.Array) -> jax.Array:
    """The inverse (n, n) of a lower triangular matrix (n, n), by blocks of doubling size."""
    size = factor.shape[0]
    if size == 0:
        return factor
    count = 1
    while count * _BLOCK < size:
        count *= 2
    full = count * _BLOCK

    # An identity fills the last rows.
    filled = jnp.eye(full, dtype=factor.dtype).at[:size, :size].set(factor)
    inverse = _by_substitution(_diagonal_blocks(filled, _BLOCK))
    length = _BLOCK
    while length < full:
        # [[a, 0], [b, c]] has the inverse [[1/a, 0], [-1/c b 1/a, 1/c]].
        first, second = inverse[0::2], inverse[1::2]
        below = _diagonal_blocks(filled, 2 * length)[:, length:, :length]
        corner = -second @ below @ first
        top = jnp.concatenate([first, jnp.zeros_like(first)], axis=2)
        inverse = jnp.concatenate([top, jnp.concatenate([corner, second], axis=2)], axis=1)
        length *= 2
    return inverse[0, :size, :size]


def _diagonal_blocks(matrix: jax.Array, length: int) -> jax.Array:
    """The blocks (blocks, length, length) on the diagonal."""
    count = matrix.shape[0] // length
    blocks = matrix.reshape(count, length, count, length)
    at = jnp.arange(count)
    return blocks[at, :, at, :]


def _by_substitution(blocks: jax.Array) -> jax.Array:
    """Inverses of lower triangular blocks (blocks, length, length)."""
    length = blocks.shape[1]
    rows: list[jax.Array] = []
    for i in range(length):
        unit = jnp.zeros((blocks.shape[0], length), blocks.dtype).at[:, i].set(1.0)
        for j, row in enumerate(rows):
            unit = unit - blocks[:, i, j, None] * row
        rows.append(unit / blocks[:, i, i, None])
    return jnp.stack(rows, axis=1)
