"""Which of two advertisements of one virtual IP is the newer: told to routers as the MED, of which the lower one wins.

RFC 4271 section 9.1.2.2 c: a router that has paths of one neighbouring AS goes by the lowest MULTI_EXIT_DISC. A holder
of a later term advertises a lower one, so what a dead node left behind loses at once, long before its session times
out. The lower bits count losses of this node's adapters: after each the paths over the others are advertised anew, and
the one over the lost adapter, over which nothing can be said any more, loses too.
"""

from typing import Final

GENERATION_BITS: Final = 12
"""4,095 lost adapters within a term; more are no further step. 20 bits are left for terms: one a minute for two
years."""
GENERATION_MAX: Final = (1 << GENERATION_BITS) - 1
_TERM_MAX: Final = (1 << (32 - GENERATION_BITS)) - 1
_MED_MAX: Final = (1 << 32) - 1

EVERYWHERE: Final = -1
"""In the place of a term: what several nodes serve at once, none of them ahead of the others."""


def med(term: int, generation: int) -> int:
    """MULTI_EXIT_DISC, 32 bits."""
    if term == EVERYWHERE:
        return 0
    return _MED_MAX - (min(max(term, 0), _TERM_MAX) << GENERATION_BITS) - min(generation, GENERATION_MAX)


def generation(of_med: int) -> int:
    """What :func:`med` was made of; 0 for what is served everywhere."""
    return (_MED_MAX - of_med) & GENERATION_MAX if of_med else 0
