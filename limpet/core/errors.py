"""What goes wrong for a user, as exceptions whose message says what was expected, what came, and what to do.

The command line prints the message of any ``LimpetError`` and exits with code 2; nothing else is caught.
"""


class LimpetError(Exception):
    """Base of every error that a user can cause and mend."""


class VideoError(LimpetError):
    """A video or folder of images that cannot be read."""


class MaskError(LimpetError):
    """A mask that does not fit the frame, or whose ids cannot be used."""


class WeightsError(LimpetError):
    """A weights file that is missing, damaged or made for another model."""


class ModelError(LimpetError):
    """An unknown model or a setting that the model cannot have."""


class DataError(LimpetError):
    """A data set that is empty, incomplete or laid out in another way."""


class OutputError(LimpetError):
    """A result that cannot be written: the folder exists, is read-only or the disk is full."""


class ProjectError(LimpetError):
    """A project folder that is damaged, newer or incomplete, or an edit that it cannot take."""


class MissingExtraError(LimpetError):
    """A feature whose optional packages are not installed."""

    def __init__(self, feature: str, extra: str, package: str) -> None:
        super().__init__(
            f"{feature} needs the package '{package}', which is not installed; "
            f"install it with: pip install 'limpet[{extra}]'"
        )
