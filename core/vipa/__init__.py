"""vipa's domain: pure functions of (state, input, now). No I/O, clock or randomness."""

__version__ = "0.1.0"
"""Release of the whole distribution; pyproject.toml takes it from here."""
