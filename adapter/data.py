"""Where the data folders stand: inside the wheel, or beside the package in a checkout."""

from pathlib import Path

from adapter.errors import ConfigurationError

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
