"""Where the repository is, and the real data that may lie beside it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
"""Real photos, pairs and published networks; tests that need them are skipped without."""
