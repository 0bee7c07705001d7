"""One tenant: its template, what MySQL should hold for it, what others hold of it, and what stands in its way. Pure."""
