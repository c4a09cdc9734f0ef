"""The one exception for a wrong argument or table."""


class JscaleError(ValueError):
    """A mistake in what the caller passed: one clear line that says where it is and what was
    expected.
    """
