"""The REST API: routes by object that parse, call a use case or read the picture, and answer."""

from orlop.controller.api.application import create_application

__all__ = ["create_application"]
