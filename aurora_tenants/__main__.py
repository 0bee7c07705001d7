"""`python -m aurora_tenants` is the command line too."""

from aurora_tenants.cli import main

if __name__ == "__main__":
    main()
