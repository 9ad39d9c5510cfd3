"""The only room that starts Spark and reads or writes Delta tables."""
