"""EventBridge Scheduler: which schedules there are, when they are due, and what happens when they fire."""
