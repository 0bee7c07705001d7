"""The pause schedule as it is deployed: its stack's template, and what a plan finds of it. Pure."""
