"""Databases, users and privileges of many tenants on one Aurora MySQL cluster, from one file in git."""

__version__ = "0.1.0"
