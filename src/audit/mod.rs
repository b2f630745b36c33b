//! What happened, for whom and by whom: rows written in the transaction of the act, sealed later.
