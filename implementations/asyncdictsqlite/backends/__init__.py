"""The built-in backends: one file and one registry line each."""
