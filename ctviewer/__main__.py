"""`python -m ctviewer` is the same as `ctviewer`."""

import sys

from ctviewer.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
