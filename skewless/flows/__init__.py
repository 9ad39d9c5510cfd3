"""The sentences of the product: each flow reads like a table of contents and hands the rooms to each other."""
