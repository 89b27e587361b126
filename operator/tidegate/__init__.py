"""Tidegate: progressive releases that climb while the tide is right, and revert by themselves when it turns."""

__version__ = "0.1.0"

__all__ = ["__version__"]
