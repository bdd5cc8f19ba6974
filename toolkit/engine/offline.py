"""What must be settled before torch and diffusers are imported: nothing is fetched, nothing is reported home."""

from __future__ import annotations

import os


def stay_offline() -> None:
    """Keep the libraries from the network and from code inside model folders; a person's own settings win."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("DISABLE_TELEMETRY", "1")
    os.environ.setdefault("DIFFUSERS_DISABLE_REMOTE_CODE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
