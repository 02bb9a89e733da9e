"""``python -m hub_card space --repo me/dslr-gan``: the same as ``python -m dslr_gan push space``.

The command is started, not imported: this package knows nothing of the other.
"""

import subprocess
import sys

if __name__ == "__main__":
    sys.exit(subprocess.call([sys.executable, "-m", "dslr_gan", "push", *sys.argv[1:]]))
