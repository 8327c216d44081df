"""A real Kubernetes API server for tests, without a cluster: see :mod:`vipa_lab.kube.apiserver`."""
