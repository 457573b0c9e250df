from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from sr_keras.errors import OutputError
from sr_keras.inference.publication import Publication


def test_a_series_that_another_run_wrote_meanwhile_stays(tmp_path):
    output = tmp_path / "series"
    publication = Publication(output, force=False)
    with ExitStack() as stack:
        place = publication.reserve(output, stack)
        (place / output.name).mkdir()
        output.mkdir()
        (output / "1.dcm").write_bytes(b"theirs")
        with pytest.raises(OutputError, match=r"series exists; use --force to overwrite\.$"):
            publication.publish(Path("scan"), cast("Any", None), {}, (), 0.0)
    assert [path.read_bytes() for path in output.iterdir()] == [b"theirs"]
