//! The lives of keys: where they are kept (`vault`), what signs now (`ring`).
