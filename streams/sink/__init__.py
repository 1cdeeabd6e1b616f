"""Where results go: the port, ClickHouse behind it, and an in-memory twin."""
