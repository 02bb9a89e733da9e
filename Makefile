# Short names for the commands of CONTRIBUTING.md.
.PHONY: install test slow check app ci

install:
	pip install -r requirements-dev.txt

test:
	pytest

slow:
	pytest -m slow

check:
	ruff check .
	ruff format --check .
	mypy

app:
	python app.py

ci:
	.ci/run
