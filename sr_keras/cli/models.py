"""`sr-keras models`: list the shipped models."""

import click

from sr_keras.errors import printable


@click.command()
@click.argument("name", required=False, metavar="[MODEL]")
def models(name: str | None) -> None:
    """List the shipped models, or print the model card of MODEL, a shipped name or a training run.

    Gains are in PSNR (dB) and SSIM over Lanczos interpolation, on scans that were not used for training.
    """
    from sr_keras.evaluation.model_cards import TASK_OF, card_text, gain_cell
    from sr_keras.evaluation.tables import markdown
    from sr_keras.models.stages import find_stage, shipped_stages
    from sr_keras.resources import format_bytes

    if name is not None:
        # A card may come from anywhere: what a terminal would act on is shown, not sent.
        click.echo("\n".join(printable(line) for line in card_text(find_stage(name)).splitlines()))
        return
    headings = ("model", "upsamples", "scale", "gain on CT", "gain on MR", "MACs per pixel", "size")
    rows = [
        (
            name,
            TASK_OF[stage.card.stage],
            f"x{stage.card.scale}",
            gain_cell(stage.card, "CT"),
            gain_cell(stage.card, "MR"),
            f"{stage.card.macs:,}",
            format_bytes(stage.weights.stat().st_size),
        )
        for name, stage in shipped_stages().items()
    ]
    click.echo(markdown(headings, rows))
