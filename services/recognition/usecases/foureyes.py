"""Two people: whoever decided, proposed or dismissed something does not also confirm, approve or review it."""

from shared.kit.problems import ForbiddenError


class FourEyesError(ForbiddenError):
    """Somebody else has to do this."""

    code = "four_eyes"
