"""The OpenAI endpoint: find out which model is meant, make sure that it is ready, relay.

A request is read as far as its ``model`` and ``stream``; then bytes move, in both directions,
unread. While a model is not ready its requests wait, and streams are told how it goes. May
import supervisor and everything below it, but knows its backend only as a Protocol.
"""
