"""One thin typed command each: parse the configuration, call the library, write artifacts."""
