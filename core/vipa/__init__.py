"""vipa's domain: pure functions of (state, input, now). No I/O, clock or randomness."""
