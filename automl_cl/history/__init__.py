"""The history: every finished trial of every search, and what it advises the next search to try.

A history is a folder of Parquet files, none of which is ever changed; `schema.py` says what is in
them. It never holds a value of a sealed test.
"""
