"""The page that super-resolves scans in a browser: built by `make web`, copied with the models by `sr-keras web`."""

from sr_keras.web.writing import write_site

__all__ = ["write_site"]
