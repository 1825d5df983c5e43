"""An edit that makes sense but cannot be done on this drive."""

from scenes.errors import OtherlaneError


class InfeasibleError(OtherlaneError):
    """What is wrong, where, what would work instead; and a short reason, to count refusals by."""

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
