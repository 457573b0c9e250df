"""`sr-keras models`: what ships."""

import click


@click.command()
def models() -> None:
    """List the models that ship: what they do, what they were trained on, how they scored."""
    from rich.console import Console
    from rich.table import Table

    from sr_keras.stages import shipped_stages

    table = Table("model", "stage", "scale", "trained on", "validation PSNR, SSIM", title="Shipped models")
    for name, stage in shipped_stages().items():
        card = stage.card
        scans = f"{len(card.trained_on)} scans, {' and '.join(card.modalities)}"
        table.add_row(name, card.stage, f"x{card.scale}", scans, card.score)
    Console().print(table)
