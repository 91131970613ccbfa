"""Keep a run's state on a mounted Google Drive, so that it goes on after Colab has cut it off."""

import os
from pathlib import Path

from gift_lib.errors import ConfigError
from gift_lib.files import make_folder

#: The machine's own disk: large, quick, and gone with the machine.
LOCAL = Path("/content/gift")


def keep_on_drive(folder: str = "gift", mount: str | Path = "/content/drive", local: str | Path = LOCAL) -> Path:
    """Mount the Drive and keep states of runs and generated pictures in `MyDrive/<folder>`; that folder's path.

    What is large and quickly made again, decoded images and original data sets, stays on the machine's own disk.
    Call it before anything else of the library, in a notebook's cell; give a `results` folder on the Drive too.
    Raises ConfigError outside Colab.
    """
    try:
        from google.colab import drive
    except ImportError as error:
        raise ConfigError(
            "there is no Drive to mount outside Colab. Set the environment variable GIFT_CACHE to a folder that stays."
        ) from error
    drive.mount(str(mount))
    kept = make_folder(Path(mount) / "MyDrive" / folder)
    os.environ["GIFT_CACHE"] = str(kept)
    os.environ.setdefault("GIFT_DECODED", str(local))
    os.environ.setdefault("GIFT_DATA", str(Path(local) / "downloads"))
    return kept
