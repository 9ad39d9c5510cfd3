"""What `bench_point_in_time.py` measures: data, methods, cases, peers, figures and plots."""
