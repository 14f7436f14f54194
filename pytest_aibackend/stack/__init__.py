"""The embedded stack: Valkey, llama.cpp servers on a tiny model, and the LiteLLM proxy, all real.

`commands` is what the command line calls; nothing is imported here, for the modules of this package
that are processes of their own would otherwise be loaded twice.
"""
