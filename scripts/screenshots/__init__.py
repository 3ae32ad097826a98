"""The pictures of docs/images, taken from the running product: ``make screenshots``."""
