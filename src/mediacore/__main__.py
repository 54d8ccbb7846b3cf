"""`python -m mediacore`: the same as the command `mediacore`."""

from mediacore.cli import main

if __name__ == "__main__":
    main()
