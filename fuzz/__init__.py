"""Fuzzing of everything that reads what others wrote: ``python -m fuzz --minutes 10``. docs/fuzzing.md says more.

Its kinds of files are those of tests/damage. libFuzzer, through atheris, follows which lines of limpet an input reaches
and changes those further that reach new ones.
"""
