"""Writing a file whole: nobody ever reads half of it, or reads a secret before its mode is set."""

from __future__ import annotations

import os
from pathlib import Path


def write_file(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file whole, never half; leave it untouched if it holds just that."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as stream:
            stream.write(text)
        new.rename(path)
    path.chmod(mode)
