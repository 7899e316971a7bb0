"""A parameter of a path ends before a colon: `/v1/decisions/{id}:lift` is a resource of its own, not a decision."""

from starlette.convertors import StringConvertor, register_url_convertor  # codespell:ignore convertors


class NameConvertor(StringConvertor):
    """What stands between two slashes, without the verb behind it."""

    regex = "[^/:]+"


register_url_convertor("str", NameConvertor())
