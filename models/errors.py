"""What can go wrong with a model file."""


class ModelError(Exception):
    """A model cannot be had, read or used; the text is one line: what is wrong and what to do."""
