import json
import re

import pytest

from sr_keras.errors import OutputError
from sr_keras.report.page import bullets, check_page, data_block, definitions, filled, policy, table, write_page

HOSTILE = '</script><img src=x onerror="alert(1)">&\u202e'


def test_hostile_texts_are_texts():
    for text in (
        table([HOSTILE], [[HOSTILE]], HOSTILE),
        definitions([(HOSTILE, HOSTILE)]),
        bullets([HOSTILE], HOSTILE),
    ):
        assert "<img" not in text
        assert "</script" not in text
    assert data_block("a", {"name": HOSTILE}).count("</script") == 1
    content = re.search(">(.*)</script>", data_block("a", {"name": HOSTILE}))[1]
    assert json.loads(content) == {"name": HOSTILE}


def test_a_name_in_a_part_is_not_filled_again():
    assert filled("{{a}} {{b}}", {"a": "{{b}}", "b": "c"}) == "{{b}} c"


def test_the_policy_allows_nothing_from_outside():
    text = policy(["a"], ["'sha256-x'"], ["b"])
    assert text.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in text
    assert "unsafe" not in text
    assert policy([], [], ["b"]).startswith("default-src 'none'; script-src 'none';")


def test_a_page_has_a_name_of_its_own(tmp_path):
    with pytest.raises(OutputError, match=r"page\.txt is no page; name a file that ends in \.html\.$"):
        check_page(tmp_path / "page.txt", force=False)
    write_page("text", tmp_path / "page.html", force=False)
    with pytest.raises(OutputError, match="exists; use --force to overwrite"):
        check_page(tmp_path / "page.html", force=False)
    check_page(tmp_path / "page.html", force=True)
