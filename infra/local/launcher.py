"""LocalStack's main program, listening where it is told to.

Run by the interpreter of LocalStack's environment, not imported by anything. LocalStack 4.14 takes only the port from
GATEWAY_LISTEN when its server is Twisted, and listens on every interface of the machine; here it is loopback alone.
"""

import runpy
import warnings
from functools import partial
from importlib import import_module
from typing import Any

# Twisted recommends a package for checking the names of TLS peers, of which there are none.
warnings.filterwarnings("ignore", message=".*service_identity")

endpoints: Any = import_module("twisted.internet.endpoints")
endpoints.TCP4ServerEndpoint = partial(endpoints.TCP4ServerEndpoint, interface="127.0.0.1")
runpy.run_module("localstack.runtime.main", run_name="__main__", alter_sys=True)
