"""Finished values as text or JSON. The only part that knows rich; it decides nothing."""
