//! Survey and execute: the only place where a plan meets a host.
