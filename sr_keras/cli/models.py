"""`sr-keras models`: what ships."""

import click


@click.command()
def models() -> None:
    """List the models that ship: what they do, what they were trained on, how they scored."""
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    from sr_keras.stages import shipped_stages
    from sr_keras.tables import WIDTH

    table = Table("model", "stage", "scale", "trained on", "PSNR on scans it has not seen", box=MARKDOWN)
    for name, stage in shipped_stages().items():
        card = stage.card
        scans = f"{len(card.trained_on)} scans, {' and '.join(card.modalities)}"
        table.add_row(name, card.stage, f"x{card.scale}", scans, card.score)
    Console(width=WIDTH).print(table)
