#!/usr/bin/python3
"""The Python package against a service that keeps its contract, or the one that GANTRY_OOPS_DSN names. run.py [TEST…]"""
import unittest

import shared  # noqa: F401

if __name__ == "__main__":
    import command_test
    import delivery_test
    import report_test
    import spool_test
    import wsgi_test
    for module in (report_test, spool_test, delivery_test, wsgi_test, command_test):
        globals().update({name: value for name, value in vars(module).items()
                          if isinstance(value, type) and issubclass(value, unittest.TestCase) and value is not shared.Case})
    unittest.main(verbosity=1)
