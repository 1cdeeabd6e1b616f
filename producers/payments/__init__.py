"""Payments from elsewhere: settlement files of payment providers, row by row."""
