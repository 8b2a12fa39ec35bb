"""Logs of engines as the checks see them: lines of interest, and how to find something there.

Pure: whoever has a file, a container or a stream gives its lines.
"""
