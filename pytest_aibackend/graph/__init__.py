"""A configuration as a graph: what clients ask for, who answers, what comes next when nobody does."""
