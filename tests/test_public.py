"""What ``import dslr_gan`` offers."""

import subprocess
import sys

import dslr_gan
from tests.support.paths import ROOT


def test_every_public_name_is_there():
    assert sorted(dslr_gan.__all__) == dslr_gan.__all__
    assert set(dslr_gan._HOMES) == set(dslr_gan.__all__) - {"__version__"}
    for name, home in dslr_gan._HOMES.items():
        assert getattr(dslr_gan, name).__module__.startswith(home)


def test_importing_the_package_does_not_import_torch():
    script = (
        "import sys; import dslr_gan; dslr_gan.DslrGanError, dslr_gan.__version__; "
        "sys.exit('torch' in sys.modules or 'huggingface_hub' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0
