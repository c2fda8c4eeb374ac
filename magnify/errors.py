"""What can be wrong with a request for magnification."""


class MagnifyError(ValueError):
    """Tell in one line which argument is out of range, its rule, and what would do."""
