"""What all tests share."""

import signal

# A shell without job control starts its background jobs with these ignored, and children inherit
# that: commands of ours that tests interrupt would then not hear of it. A handler is not inherited.
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler)
