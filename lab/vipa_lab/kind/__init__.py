"""A real Kubernetes cluster in containers, made by kind: ``make kind-up``, ``make kind-down``."""
