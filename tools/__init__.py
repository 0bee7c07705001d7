"""What builds the product, and is no part of it: not in the wheel, never deployed, standard library alone."""
