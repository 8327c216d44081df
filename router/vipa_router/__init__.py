"""``vipa-router``: a Linux router sends what is for a virtual IP to the healthy adapters of whoever holds it."""
