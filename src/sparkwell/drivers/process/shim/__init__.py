"""The shim: a small program that keeps one engine. Run as ``python -I -S .../shim FOLDER``.

It must outlive the daemon and every upgrade of it, so it imports the standard library and
itself, nothing else, and all of that at its start. Each loaded model costs one shim: modules
that would add megabytes (pathlib, typing, dataclasses, subprocess, asyncio) are not used here.

    __main__.py   from a folder's name to a running keeper, detached
    keeper.py     the event loop: log, control socket, signals, timers
    ending.py     which signal is due when: pure
    engine.py     fork and exec of the engine
    ledger.py     the list of descendants on disk, in case the shim itself is killed
    tree.py       signals to the engine's processes; their ends
    control.py    the control socket: one JSON object a line
    client.py     one connection to it
    logfile.py    the engine's output, rotated by size
    files.py      the names in the folder; JSON written atomically
    proc.py       /proc: who descends from whom, and since when
"""
