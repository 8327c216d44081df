"""Where the agent's objects come from: here, a folder of manifests."""
