"""Properties: which keys and values are legal where, and which object decides."""

from orlop.controller.properties.change import PropertyChange, apply, checked, normalised
from orlop.controller.properties.effective import Effective, Source, effective, effective_all, info
from orlop.controller.properties.whitelist import Kind

__all__ = [
    "Effective",
    "Kind",
    "PropertyChange",
    "Source",
    "apply",
    "checked",
    "effective",
    "effective_all",
    "info",
    "normalised",
]
