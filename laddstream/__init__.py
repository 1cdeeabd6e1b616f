"""The front door: settings, command line, embedded runtime."""
