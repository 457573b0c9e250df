"""The training configurations that ship with the package, as `sr_keras.configs`."""
