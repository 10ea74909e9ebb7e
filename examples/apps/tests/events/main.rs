//! The relay and its load client, in one process, on SQLite.

mod load;
mod relay;
mod support;
