"""``vipa check``: the pre-flight of a node."""
