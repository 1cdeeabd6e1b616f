"""Payments: read from their topic, checked, and written as rows; they need no state."""
