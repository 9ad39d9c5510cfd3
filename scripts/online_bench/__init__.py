"""What `bench_online.py` measures: reads and pushes of the online store beside the raw driver and beside Feast."""
