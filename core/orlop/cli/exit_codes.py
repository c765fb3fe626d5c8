"""Exit codes. The numbers are those that scripts written for LINSTOR's client test for."""

OK = 0
FAILED = 1
BAD_ARGUMENTS = 2
NOT_FOUND = 3
UNSUPPORTED = 4
API_ERROR = 10
UNREACHABLE = 20
TIMED_OUT = 21
UNEXPECTED_REPLY = 22
INTERRUPTED = 130
