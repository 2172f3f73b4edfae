"""What must not be written anywhere: a search for it, in every form in which it may have been written."""

import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus


def forms_of(secret: str) -> dict[str, bytes]:
    """The bytes by which a secret would be found, by the name of the form.

    In base64 it looks in three ways, by what stands before it; what depends on its neighbours is left out.
    """
    raw = secret.encode()
    forms = {
        "raw": raw,
        "URL-encoded": quote(secret, safe="").encode(),
        "a form's field": quote_plus(secret).encode(),
        "escaped JSON": json.dumps(secret)[1:-1].encode(),
        "hexadecimal": raw.hex().encode(),
    }
    for before in range(3):
        code = b64encode(bytes(before) + raw).rstrip(b"=")
        forms[f"base64, {before} bytes in"] = code[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
    return forms


def leaks(planted: Mapping[str, str], written: Mapping[str, bytes]) -> list[str]:
    """Say which of the planted secrets were written where; none is the only good answer."""
    return [
        f"{name} in {place}, {form}"
        for name, secret in planted.items()
        for form, code in forms_of(secret).items()
        for place, text in written.items()
        if code in text
    ]


def written_in(folder: Path) -> dict[str, bytes]:
    """The content of every file in a folder, and the files' names."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {"names of files": "\n".join(files).encode(), **{name: path.read_bytes() for name, path in files.items()}}
