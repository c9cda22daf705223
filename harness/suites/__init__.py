"""Suites: what is compared with what, and what must hold."""
