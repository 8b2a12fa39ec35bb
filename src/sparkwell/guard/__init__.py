"""The memory guard: a small program that ends an engine before the machine runs out of memory.

Run as ``python -I -S .../guard FOLDER --daemon-lock FILE``. It must still act when the machine
is nearly stuck and the daemon is not heard any more, so it imports the standard library and
itself, nothing else, all of it at its start. Its memory is locked; modules that would add
megabytes (pathlib, typing, dataclasses, subprocess, asyncio) are not used by the program.

    __main__.py    from a folder's name to a running guard, detached
    watch.py       the loop: sample, judge, act; it touches no disk
    rules.py       what a history of samples asks for: pure
    judge.py       whose turn it is to be ended, and when the next one's: pure
    proc.py        /proc/meminfo, /proc/pressure/memory, /proc/PID/stat as values: pure
    sampling.py    reads them through files that were opened at the start
    ending.py      signals by pidfd, or through a control group
    cgroups.py     the files of one control group
    errands.py     a thread for all that may wait for a disk: targets in, trips out
    files.py       the names in the folder; targets.json as values
    protect.py     locked memory, spared by the OOM killer

For the daemon, not loaded by the program:

    before.py      before a start: refuse it, drop the page cache
    finding.py     from an engine's pid to its shim or its container's control group
    status.py      guard.json for status JSON
    trips.py       trips.jsonl as values, from where one has read so far
"""
