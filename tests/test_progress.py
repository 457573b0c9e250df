import io

from rich.console import Console

from sr_keras import progress


def shown(monkeypatch, *reports):
    """Return the last line with a share that a terminal shows of the reports of jobs."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr(progress, "Console", lambda **_: console)
    with progress.progress_report() as report:
        for news in reports:
            report(*news)
    return [line for line in screen.getvalue().splitlines() if "%" in line][-1]


def test_one_bar_shows_the_share_of_a_job_and_what_is_being_done(monkeypatch):
    last = shown(monkeypatch, ("d x2 on k", 1.0, 8.0), ("hw x2 on ij", 4.0, 8.0))
    assert "hw x2 on ij" in last
    assert "50%" in last


def test_the_next_job_begins_the_bar_anew(monkeypatch):
    last = shown(monkeypatch, ("hw x2 on ij", 8.0, 8.0), ("d x2 on k", 1.0, 4.0))
    assert "d x2 on k" in last
    assert "25%" in last


def test_names_that_look_like_markup_are_shown_as_they_are(monkeypatch):
    assert "scan[/bold][red].nii" in shown(monkeypatch, ("scan[/bold][red].nii", 1.0, 2.0))


def test_jobs_share_a_bar():
    news = []
    share = progress.share_of(lambda *report: news.append(report), 2, 4, "b, ")
    share("hw x2", 0.0, 8.0)
    share("hw x2", 6.0, 8.0)
    share("nothing", 0.0, 0.0)
    assert news == [("b, hw x2", 2.0, 4), ("b, hw x2", 2.75, 4), ("b, nothing", 2.0, 4)]


def test_where_there_is_no_terminal_nothing_is_shown(capsys):
    with progress.progress_report() as report:
        report("hw x2 on ij", 4.0, 8.0)
    assert capsys.readouterr() == ("", "")
