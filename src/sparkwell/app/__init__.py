"""The composition root: the one room that knows every concrete class.

``paths`` says where things lie, ``config`` reads sparkwell.yaml, ``service`` answers what the
gateway, the admin API and the CLI ask, ``daemon`` puts it all together and runs it.
"""
