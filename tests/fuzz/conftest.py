"""The table of what was fuzzed."""

import pytest

ROWS: dict[str, dict] = {}


@pytest.fixture(scope="session")
def fuzz_rows() -> dict[str, dict]:
    """By reader what its campaign reported."""
    return ROWS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    if not ROWS:
        return
    terminalreporter.section("fuzzing")
    terminalreporter.write_line(
        f"{'reader':<18} {'cases':>8} {'read':>8} {'tracebacks':>11} {'slowest s':>10} {'largest MB':>11}"
    )
    for name, row in [*ROWS.items(), ("all", _total(list(ROWS.values())))]:
        found = row["found"] or "none"
        terminalreporter.write_line(
            f"{name:<18} {row['cases']:>8} {row['works']:>8} {found:>11} {row['slowest_s']:>10.2f} "
            f"{row['largest_bytes'] / 1e6:>11.0f}"
        )


def _total(rows: list[dict]) -> dict:
    sums = {key: sum(row[key] for row in rows) for key in ("cases", "works", "found")}
    return sums | {key: max(row[key] for row in rows) for key in ("slowest_s", "largest_bytes")}
