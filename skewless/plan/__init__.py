"""Decisions as pure functions: values in, a plan out; nothing here reads, writes or tells the time."""
