"""The errors that users see: where, what is wrong, what to try."""


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


class InfeasibleError(OtherlaneError):
    """An edit that makes sense but cannot be done on this drive.

    It says where, what is wrong and what would work instead; and a short reason, by which refusals
    are counted.
    """

    def __init__(self, where: object, wrong: str, fix: str, reason: str) -> None:
        super().__init__(where, wrong, fix)
        self.reason = reason

    def __reduce__(  # pyright: ignore[reportIncompatibleMethodOverride]  # one argument more
        self,
    ) -> tuple[type["InfeasibleError"], tuple[str, str, str, str]]:
        return (InfeasibleError, (self.where, self.wrong, self.fix, self.reason))


def one_moment(where: object) -> InfeasibleError:
    """What is refused of a drive of one picture: all that takes time."""
    wrong = "takes time, and the drive is one moment (it has one pose)"
    fix = "a drive of two pictures or more; or a look, or road users who are put there"
    return InfeasibleError(where, wrong, fix, "one moment")
