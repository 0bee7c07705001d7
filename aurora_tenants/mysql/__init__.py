"""MySQL's own words: names, grants, the state of a server, and the Data API that reaches it."""
