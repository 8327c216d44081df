"""The Kubernetes API as a source of plans: this node's VirtualIPNode object, followed; its status, reported."""
