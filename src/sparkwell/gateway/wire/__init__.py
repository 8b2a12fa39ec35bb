"""HTTP/1.1 as bytes: a server's and a client's connection, and nothing about models.

Requests are read whole, answers are moved as they come. Parsing is llhttp's (httptools), which is
strict; what is sent on is always written anew, so that no two readers can understand the same
bytes differently.
"""
