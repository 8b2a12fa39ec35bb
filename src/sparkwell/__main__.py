"""`python -m sparkwell` is the same as `sparkwell`."""

from sparkwell.cli import main

if __name__ == "__main__":
    main()
