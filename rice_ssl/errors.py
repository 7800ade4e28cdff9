"""Errors meant for a user: each names the thing, its value and the remedy."""

from __future__ import annotations


class RiceSSLError(Exception):
    """Base of every error that the command line and the dashboard show as one sentence.

    The command line prints the message and exits with code 2; the dashboard shows it in place of the screen.
    """


class InputError(RiceSSLError):
    """Something that the user supplied (a file, an option, a setting) cannot be used."""


class ArtifactError(RiceSSLError):
    """A run directory lacks something, or what it holds cannot be trusted."""


class TrainingError(RiceSSLError):
    """Training had to stop: a non-finite loss or a collapse. The last good checkpoint is kept."""
