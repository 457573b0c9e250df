"""`python -m sr_keras` is `sr-keras`."""

from sr_keras.cli import main

main(prog_name="sr-keras")
