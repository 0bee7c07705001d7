"""The pause schedule: its week in time, what it costs, its template, and what a plan finds of it. Pure."""
