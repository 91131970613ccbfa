"""The runtime checker of shapes and types in gift_lib's signatures, in force while tests run (see pyproject.toml)."""

from beartype import BeartypeConf, beartype

#: A whole number is accepted where a float is asked for, as everywhere else in Python.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
