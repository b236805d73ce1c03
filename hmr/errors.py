"""The one exception that is the user's to mend."""


class UserError(Exception):
    """A mistake outside this program: a missing file, a wrong layout, an unknown parameter.

    The message is one line that names the thing, what was expected, what was found and the way out.
    The command line prints it without a traceback and exits with status 2.
    """

    def __init__(self, message: str) -> None:
        # Libraries' own words, which many messages quote, may run over several lines.
        super().__init__(" ".join(message.splitlines()))
