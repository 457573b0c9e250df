"""NiiVue, the viewer in the page: kept compressed beside this module, and used only if it is the file that is known."""

import base64
import gzip
import hashlib
from functools import cache
from importlib.resources import files

from sr_keras.errors import SrKerasError

VERSION = "0.69.0"
FILE = f"niivue-{VERSION}.umd.js.gz"
# Of the compressed file, and of `dist/niivue.umd.js` in the npm package @niivue/niivue that it was made of.
SHA256 = "43cc93c8caf46410d33cb79b0808f8ac28b2bf41b23cdb8c76503e938902d3c2"
SCRIPT_SHA256 = "47b896b77ec4a5be3ef1949c33ad393b6f45629921f326c279000bcf51bdb4af"


@cache
def compressed_viewer() -> bytes:
    """Return the script of the viewer, gzip.

    Raises:
        SrKerasError: the file is not the one that this version was made with.
    """
    content = (files("sr_keras.report") / FILE).read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise SrKerasError(f"{FILE} of this installation is damaged; install sr_keras again.")
    return content


def viewer_source() -> str:
    """Return where a content security policy allows the viewer's script from: its hash."""
    return source_of(gzip.decompress(compressed_viewer()))


def source_of(content: bytes) -> str:
    """Return the source of an inline script or style in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"


def licence() -> str:
    """Return the licence of the viewer."""
    return (files("sr_keras.report") / "niivue.LICENSE.txt").read_text(encoding="utf-8")
