"""The applied truth of the definitions: immutable objects, one head per project, and leases with fencing tokens."""
