"""python -m etude: the command line."""

import sys

from etude.framework.cli import main

sys.exit(main())
