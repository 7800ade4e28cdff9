"""rice_ssl: explain encoders trained on paired-sensor plant images."""

__version__ = "0.1.0"
