"""The commands that talk to a cluster's API server. Standard library only, and PyYAML for kubeconfig files that are not
JSON: they start fast, and run from one file (``make zipapp``) wherever there is a Python."""
