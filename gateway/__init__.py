"""An EDI message exchange gateway: receive, parse, check, translate, decide, deliver, receipt."""

__version__ = "0.1.0"
