"""The exceptions of the package: one base, one class for each place where a user can put things right."""


class SrKerasError(Exception):
    """Base of every error that a user can mend; the command line prints it as one line."""


class VolumeError(SrKerasError):
    """A scan that cannot be read, or that cannot be super-resolved as it is."""


class OutputError(SrKerasError):
    """An output that cannot be written where it was asked for."""


class OutputBusyError(OutputError):
    """An output that another run is writing at this moment."""


class ConfigurationError(SrKerasError):
    """A configuration, an option or a combination of options that has no meaning."""


class UnknownConfigurationError(ConfigurationError):
    """A name that is neither a shipped configuration or preset nor a path to one: a mistake in the call."""


class StageError(SrKerasError):
    """A trained stage that cannot be found, read or used for what was asked."""


class UnknownModelError(StageError):
    """A name that is neither a shipped stage nor a path to one: a mistake in the call, not in a file."""


class ModelFileError(SrKerasError):
    """An exported file that cannot be written, read or run here, or whose output differs from its stage's."""


class MissingDependencyError(SrKerasError):
    """An optional dependency that this task needs and that is not installed."""


class DeviceMemoryError(SrKerasError):
    """What does not fit into memory: a batch, after smaller ones and tiles were tried, or a library."""


def printable(text: str) -> str:
    r"""Return a text in one line with every character that a terminal could act on written as an escape.

    Texts from files (cards, manifests, paths) may hold control characters, bidirectional overrides or undecodable
    bytes; pass them through this before printing.

    >>> printable("fast\x1b[2J_hw_x2")
    'fast\\x1b[2J_hw_x2'
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
