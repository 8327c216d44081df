"""The simulator: several election cores, their kernels, clocks and one LAN, driven by one seed.

Everything that can vary is drawn from the seed, so a run is repeated exactly by its number. The election core is the
real one; what surrounds it mirrors the agent's shell and the kernel's gate (docs/design/0002, 0003).
Files: ``engine`` (time), ``lan`` (wire), ``stations`` (clients and neighbours), ``kernel`` (gate and addresses),
``process`` and ``renewer`` (the agent's shell), ``machine`` (a node), ``judge`` (what must never happen), ``world``
(all of it together), ``faults`` and ``chance`` (what goes wrong), ``runs`` (one seed), ``scenarios`` (one situation),
``figures`` (many of both).
"""
