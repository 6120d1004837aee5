"""The promises on the real stack under injected faults: a proxy that spoils calls, processes killed and stopped, a checker."""
