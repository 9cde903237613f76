"""One target under atheris, in a process of its own: `python -m tests.fuzz.fuzzer TARGET` and libFuzzer's options."""

import importlib
import logging
import sys

import atheris
import structlog

if __name__ == "__main__":
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["gateway"]):
        module = importlib.import_module(f"tests.fuzz.targets.{name}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    atheris.Setup(sys.argv, module.one)
    atheris.Fuzz()
