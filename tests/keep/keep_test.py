#!/usr/bin/env python3
"""Erasure, backup, restore and scrub of the program that is shipped. keep_test.py GANTRY [unittest's arguments]"""
import pathlib
import sys
import unittest

import shared

shared.GANTRY = str(pathlib.Path(sys.argv.pop(1)).resolve())

from erase import *  # noqa: E402,F401,F403
from backup import *  # noqa: E402,F401,F403
from scrub import *  # noqa: E402,F401,F403

if __name__ == "__main__":
    unittest.main()
