"""The exceptions of the package: one base, one class for each place where a user can put things right."""


class SrKerasError(Exception):
    """Base of every error that a user can mend; the command line prints it as one line."""


class VolumeError(SrKerasError):
    """A scan that cannot be read, or that cannot be enlarged as it is."""


class OutputError(SrKerasError):
    """An output that cannot be written where it was asked for."""


class ConfigurationError(SrKerasError):
    """A configuration, an option or a combination of options that has no meaning."""


class StageError(SrKerasError):
    """A trained stage that cannot be found, read or used for what was asked."""


class ModelFileError(SrKerasError):
    """An exported file that cannot be made, read or run here, or that does not compute what its stage computes."""


class MissingDependencyError(SrKerasError):
    """An optional dependency that this task needs and that is not installed."""


class DeviceMemoryError(SrKerasError):
    """A batch that does not fit into its device's memory. Smaller ones are tried before anyone sees this."""
