//! Databases: PostgreSQL's ways to lose everything before anybody notices.

use crate::shapes::{env, red_green, stack, volume};

#[test]
fn a_volume_where_new_postgres_keeps_nothing_is_found() {
    let server =
        |image, target: &'static str| stack().service("db", image, |db| volume(db, "pgdata", target));
    let red = server("postgres:18-alpine", "/var/lib/postgresql/data");
    let message = "`postgres:18-alpine` does not keep its data in `/var/lib/postgresql/data`";
    red_green("postgres-volume-path", &red, message, &server("postgres:18-alpine", "/var/lib/postgresql"));
    let old = server("postgres:16-alpine", "/var/lib/postgresql/data");
    assert!(old.messages("postgres-volume-path").is_empty());
}

#[test]
fn a_database_in_no_volume_is_found() {
    let red = stack().service("db", "postgres:16", |db| {
        volume(db, "pgdata", "/var/lib/postgresql/data");
        env(db, "PGDATA", "/data/pg");
    });
    let green = stack().service("db", "postgres:16", |db| {
        volume(db, "pgdata", "/data");
        env(db, "PGDATA", "/data/pg");
    });
    let message = "`db` (`postgres:16`) keeps its data in no volume";
    red_green("postgres-data-unmounted", &red, message, &green);
}

#[test]
fn a_database_that_asks_for_no_password_is_found() {
    let with = |method: &'static str| {
        stack().service("db", "postgres:16", |db| env(db, "POSTGRES_HOST_AUTH_METHOD", method))
    };
    let message = "`db` lets everybody in without a password";
    red_green("postgres-trust", &with("trust"), message, &with("scram-sha-256"));
}
