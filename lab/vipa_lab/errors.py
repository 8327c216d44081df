"""The lab's one exception: something about this machine or this use of the lab is wrong, said in one line."""


class LabError(RuntimeError):
    """Tells a person what is wrong and what would be right."""
