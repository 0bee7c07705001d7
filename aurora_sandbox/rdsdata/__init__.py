"""The RDS Data API over a MySQL server: statements in, results in its own form out, transactions between calls."""
