"""What all tests share."""

import signal

# A shell's background job ignores SIGINT; tests send it to themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)
