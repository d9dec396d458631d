"""What the programs here share: cases, a line printed for each, and small steps."""

import hashlib
import os
import sys
import traceback

from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = "000000000000"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
PREFIX = os.environ["REPOSITORY_PREFIX"]
MIB = 1 << 20

# The registry is asked what it thinks of parameters that boto3 itself would refuse.
CONFIG = Config(parameter_validation=False, retries={"max_attempts": 1})
cases = []


def case(function):
    cases.append(function)
    return function


def run():
    """Runs all cases in their order; ends the program, with 1 if any has failed."""
    failed = False
    for function in cases:
        try:
            function()
            print("ok", function.__name__, flush=True)
        except Exception as error:
            failed = True
            line = traceback.extract_tb(error.__traceback__)[1].lineno
            reason = " ".join(f"line {line}: {type(error).__name__}: {error}".split())
            print(f"not ok {function.__name__}: {reason}", flush=True)
    sys.exit(failed)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def fails(code, call, message=None, says="", **members):
    """Demands that a call fails with this error, and with this message, or part of one, where it is fixed; returns the answer."""
    try:
        answer = call(**members)
    except ClientError as error:
        got = error.response["Error"]
        assert got["Code"] == code, f"{got['Code']}: {got['Message']}"
        assert type(error).__name__ in [code, "ClientError"], type(error)
        assert message is None or got["Message"] == message, f"message {got['Message']!r}"
        assert says in got["Message"], got["Message"]
        return error.response
    raise AssertionError(f"no {code}: {answer}")
