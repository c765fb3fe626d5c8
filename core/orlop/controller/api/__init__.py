"""The REST API: routes by object that parse, call a use case or read the picture, and answer."""

from orlop.controller.api.application import create_application
from orlop.controller.api.limits import Limits

__all__ = ["Limits", "create_application"]
