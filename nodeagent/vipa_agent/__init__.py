"""The node agent: an asyncio shell around the election in ``vipa``."""
