//! What runs by the clock: sealing the audit log, deliveries, refreshes. Each job holds a lease.
