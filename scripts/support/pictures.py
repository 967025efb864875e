"""The pictures of docs/web-client.md, of those that the steps of scripts/web-client leave."""

import subprocess

from stack import ROOT, environment_with

PICTURES = ["room", "unread", "search", "media", "tray", "upload", "files", "viewer", "refused", "offline", "no-socket", "invitation", "emoji", "settings", "dark",
            "korean", "phone-room", "phone-rooms"]
MOST_BYTES = 60 * 1024
# Fewer pixels and colours: they are read in a browser and kept in the repository for good.
REDUCE = """
import sys
from PIL import Image
source, target, width = sys.argv[1], sys.argv[2], int(sys.argv[3])
picture = Image.open(source).convert("RGB")
picture = picture.resize((width, picture.height * width // picture.width), Image.LANCZOS)
picture.quantize(64, dither=Image.Dither.NONE).save(target, optimize=True)
"""


def publish(folder):
    """Reduces the pictures into docs/images."""
    python = environment_with("web-pictures", "pillow==13.0.0") / "bin" / "python3"
    for name in PICTURES:
        target = ROOT / "docs" / "images" / f"web-{name}.png"
        width = 300 if name.startswith("phone") else 800
        subprocess.run([python, "-c", REDUCE, folder / f"{name}.png", target, str(width)], check=True)
        assert target.stat().st_size <= MOST_BYTES, f"{target}: {target.stat().st_size} bytes"
