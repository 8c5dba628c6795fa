"""One tree of errors. The text of each is one clear sentence for the user: it names the file and the reason, no patient data."""


class CtviewerError(Exception):
    """Base of all errors that the program raises on purpose.

    Attributes:
        exit_code: what the command line returns for it.
    """

    exit_code = 1


class InputError(CtviewerError):
    """A file, folder, argument or setting that cannot be used."""

    exit_code = 2


class DecodeError(InputError):
    """Pixels of one file or frame that cannot be decoded."""


class BundleError(InputError):
    """A model bundle that is damaged, incomplete or of another schema."""


class StorageError(CtviewerError):
    """A place that cannot be written: read-only, full, or inside an opened folder."""

    exit_code = 2


class DeviceError(CtviewerError):
    """A compute device that failed or ran out of memory."""
