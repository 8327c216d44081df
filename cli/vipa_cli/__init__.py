"""The command line: ``vipa`` and ``kubectl-vipa``."""
