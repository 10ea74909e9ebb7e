//! Secrets: values that are known, written where everybody reads them, or missing.

use plan::SecretSeen;
use stack::{ContentId, Part, SecretName, Text};

use crate::shapes::{env, env_secret, red_green, stack};

#[test]
fn a_password_from_the_tutorial_is_named_and_a_secret_is_not() {
    let red = stack().service("db", "postgres:16", |db| env(db, "POSTGRES_PASSWORD", "postgres"));
    let green = stack()
        .secret("db_password")
        .service("db", "postgres:16", |db| env_secret(db, "POSTGRES_PASSWORD", "db_password"));
    red_green("default-secret", &red, "POSTGRES_PASSWORD is `postgres`", &green);
    assert!(red.messages("literal-credential").is_empty(), "one fault is told once");
}

#[test]
fn a_known_value_from_outside_the_file_is_found_and_not_said() {
    let id = ContentId("aa".to_owned());
    let held = Text(vec![Part::Held { variable: "PW".to_owned(), id: id.clone() }]);
    let mut red = stack().service("db", "postgres:16", |db| {
        db.environment.insert("POSTGRES_PASSWORD".to_owned(), Some(held));
    });
    red.held.insert(id.clone(), "changeme".to_owned());
    let mut green = red.clone();
    green.held.insert(id, "x7Gq0vJm".to_owned());
    let message = "POSTGRES_PASSWORD comes from the environment and is a value everybody knows";
    red_green("default-secret", &red, message, &green);
}

#[test]
fn a_known_password_inside_a_connection_string_is_named() {
    let red =
        stack().service("web", "web:1", |web| env(web, "DATABASE_URL", "postgres://app:postgres@db/app"));
    let green = stack().service("web", "web:1", |web| env(web, "DATABASE_URL", "postgres://app@db/app"));
    red_green("default-secret", &red, "DATABASE_URL is `postgres`", &green);
}

#[test]
fn a_credential_in_the_file_is_found_and_its_value_is_not_repeated() {
    let red = stack().service("web", "web:1", |web| env(web, "API_KEY", "k3Jq9aZx"));
    let green = stack().service("web", "web:1", |web| {
        env(web, "API_KEY_FILE", "/run/secrets/api_key");
        env(web, "TOKEN_TTL", "900");
        env(web, "SECRET_ROTATION", "true");
    });
    red_green("literal-credential", &red, "API_KEY is written in the file", &green);
}

#[test]
fn a_connection_string_with_its_password_is_found() {
    let red = stack().service("web", "web:1", |web| env(web, "DATABASE_URL", "postgres://app:x7Gq0v@db/app"));
    let green = stack().secret("pw").service("web", "web:1", |web| {
        let text = Text(vec![
            Part::Literal("postgres://app:".to_owned()),
            Part::Secret(SecretName::from("pw")),
            Part::Literal("@db/app".to_owned()),
        ]);
        web.environment.insert("DATABASE_URL".to_owned(), Some(text));
    });
    red_green("secret-in-dsn", &red, "DATABASE_URL holds a connection string with its password", &green);
}

#[test]
fn an_empty_credential_is_found() {
    let red = stack().service("web", "web:1", |web| env(web, "REDIS_PASSWORD", ""));
    let green = stack().service("web", "web:1", |web| env(web, "GREETING", ""));
    red_green("empty-credential", &red, "REDIS_PASSWORD is empty", &green);
}

#[test]
fn a_declared_secret_without_a_value_is_found_once_the_store_was_read() {
    let mut red = stack().secret("jwt");
    assert!(red.messages("unset-secret").is_empty(), "a store that was not read says nothing");
    red.stored = Some(Default::default());
    let mut green = red.clone();
    let seen = SecretSeen { version: 1, fingerprint: "aa".to_owned() };
    green.stored = Some([(SecretName::from("jwt"), seen)].into());
    red_green("unset-secret", &red, "secret `jwt` has no value yet", &green);
}

#[test]
fn a_secret_in_the_environment_is_found_and_a_file_is_not() {
    let red =
        stack().secret("pw").service("db", "postgres:16", |db| env_secret(db, "POSTGRES_PASSWORD", "pw"));
    let green = stack().secret("pw").service("db", "postgres:16", |db| {
        env(db, "POSTGRES_PASSWORD_FILE", "/run/secrets/pw");
    });
    red_green("secret-in-environment", &red, "POSTGRES_PASSWORD carries secret `pw`", &green);
}

#[test]
fn a_secret_that_nobody_is_given_is_worth_a_note() {
    let red = stack().secret("old");
    let green = stack().secret("pw").service("db", "postgres:16", |db| env_secret(db, "PGPASSWORD", "pw"));
    red_green("secret-given-to-nobody", &red, "secret `old` is given to no service", &green);
}
