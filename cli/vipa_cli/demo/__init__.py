"""``vipa demo``: one virtual IP over three adapters, live on real kernel networking, measured and judged."""
