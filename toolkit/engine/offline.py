"""What must be settled before torch and diffusers are imported: nothing is fetched, reported home or unpickled."""

from __future__ import annotations

import os


def stay_offline() -> None:
    """Keep the libraries from the network and from code inside model folders; a person's own settings win."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("DISABLE_TELEMETRY", "1")
    os.environ.setdefault("DIFFUSERS_DISABLE_REMOTE_CODE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # torch reads weights alone unless this says otherwise, which other studios' instructions tell people to set.
    os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
