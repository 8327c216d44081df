"""The election: ``step(now, event) -> actions``; see docs/design/0002-election.md for the rules by number."""
