"""Where the starter's files are: the shipped model, unfinished training, contact sheets."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "models" / "checkpoints" / "limner-starter"
WORK = ROOT / "starter-work"
JUDGE = Path(__file__).with_name("judge.safetensors")
SHEET = ROOT / "docs" / "images" / "starter-contact-sheet.png"
