"""One of several parts of a cohort: each array job takes its own, and none asks another."""

import hashlib
import re
from dataclasses import dataclass

from sr_keras.errors import ConfigurationError


@dataclass(frozen=True)
class Part:
    """A share of a cohort, by a hash of names: what a name belongs to does not change when others come or go.

    Attributes:
        number: from 1.
        count: of all parts.
    """

    number: int = 1
    count: int = 1

    def holds(self, name: str) -> bool:
        """Say whether a name belongs to this part."""
        return self.number_of(name) == self.number

    def number_of(self, name: str) -> int:
        """Return the number of the part that a name belongs to."""
        digest = hashlib.sha256(name.encode(errors="surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count + 1

    @property
    def label(self) -> str:
        """Text for a file's name, "part-03of16"; empty where there is one part only."""
        width = len(str(self.count))
        return f"part-{self.number:0{width}}of{self.count}" if self.count > 1 else ""


ALL = Part()


def parse_part(text: str) -> Part:
    """Return the part of "3/16".

    Raises:
        ConfigurationError: it is no such text, or there is no such part.
    """
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ConfigurationError(f"{text!r} is no part; write it like 3/16, from 1/16 to 16/16.")
    return Part(int(found[1]), int(found[2]))
