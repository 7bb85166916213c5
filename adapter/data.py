"""What is installed: its version, and where the data folders stand, in the wheel or beside the package."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from adapter.errors import ConfigurationError

PROGRAM = "hl7v2-fhir-adapter"

_PACKAGE = Path(__file__).parent


def data_folder(name: str) -> Path:
    """Find `mappings` or `profiles`.

    Args:
        name: the folder's name.

    Returns:
        `adapter/_data/<name>` of an installed wheel, else `<name>` at the top of the checkout.

    Raises:
        ConfigurationError: neither is there, so the installation is not whole.
    """
    for folder in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise ConfigurationError(f"the data folder {name!r} is missing from this installation")


def program_version() -> str:
    """The version of this program."""
    try:
        return version(PROGRAM)
    except PackageNotFoundError:
        return "not installed"
