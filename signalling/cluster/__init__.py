"""What several nodes share beside the database: Redis or Valkey, who is alive, and who owns which room.

The database is the truth; everything here is an index, a lease or a wake-up that may vanish at any moment and
is rebuilt. `Cluster` (module `cluster`) joins the parts.
"""
