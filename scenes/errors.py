"""The one error that users see: where, what is wrong, what to try."""


class OtherlaneError(Exception):
    """What is wrong, where, and what to try next: all three, always."""

    def __init__(self, where: object, wrong: str, fix: str) -> None:
        super().__init__(f"{where}: {wrong}\n  try: {fix}")
        self.where = str(where)
        self.wrong = wrong
        self.fix = fix

    def __reduce__(self) -> tuple[type["OtherlaneError"], tuple[str, str, str]]:
        # Exceptions pickle by their formatted args; workers must hand ours back whole.
        return (OtherlaneError, (self.where, self.wrong, self.fix))


class DriveError(OtherlaneError):
    """A recorded drive that cannot be used as it is."""

    def __reduce__(self) -> tuple[type["DriveError"], tuple[str, str, str]]:
        return (DriveError, (self.where, self.wrong, self.fix))
