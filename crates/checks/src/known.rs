//! What is known of the world outside: images, names of variables, values everybody has read in a tutorial.

use stack::{Service, ServiceName, Shape, StateKind, Text};

/// An image reference in its parts.
pub(crate) struct Image<'a> {
    /// The last segment of its repository: `postgres` of `registry.example/library/postgres:16`.
    pub(crate) name: &'a str,
    pub(crate) tag: Option<&'a str>,
    pub(crate) digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    pub(crate) fn parse(reference: &'a str) -> Self {
        let (rest, digest) = match reference.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (reference, None),
        };
        let last = rest.rsplit('/').next().unwrap_or(rest);
        let (name, tag) = match last.split_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (last, None),
        };
        Self { name, tag, digest }
    }

    /// The number its tag begins with: 16 of `16.4-alpine`.
    pub(crate) fn major(&self) -> Option<u32> {
        let digits: String = self.tag?.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    }
}

/// A kind of service that holds data others must not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Postgres,
    Keys,
    Other(&'static str),
}

impl Store {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Store::Postgres => "PostgreSQL",
            Store::Keys => "a key store",
            Store::Other(name) => name,
        }
    }
}

/// What kind of data store a service is: by `[state]`, else by the name of its image.
pub(crate) fn store(shape: &Shape, name: &ServiceName, service: &Service) -> Option<Store> {
    match shape.states.get(name).map(|state| &state.kind) {
        Some(StateKind::Postgres { .. }) => return Some(Store::Postgres),
        Some(StateKind::Transit(_)) => return Some(Store::Keys),
        // A SQLite file lives inside an application: the application is no data store.
        Some(StateKind::Sqlite { .. }) => return None,
        Some(StateKind::Discard { .. }) | None => {}
    }
    match Image::parse(&service.image).name {
        "postgres" | "postgresql" | "postgis" | "pgvector" | "timescaledb" => Some(Store::Postgres),
        "vault" | "openbao" => Some(Store::Keys),
        "mysql" | "mariadb" => Some(Store::Other("MySQL")),
        "redis" | "valkey" | "keydb" => Some(Store::Other("Redis")),
        "mongo" | "mongodb" => Some(Store::Other("MongoDB")),
        "memcached" => Some(Store::Other("memcached")),
        "rabbitmq" => Some(Store::Other("RabbitMQ")),
        "elasticsearch" | "opensearch" => Some(Store::Other("Elasticsearch")),
        "clickhouse-server" => Some(Store::Other("ClickHouse")),
        "etcd" => Some(Store::Other("etcd")),
        _ => None,
    }
}

/// Variables that hold the root token of a development key store.
pub(crate) const TOKEN_VARIABLES: [&str; 2] = ["BAO_DEV_ROOT_TOKEN_ID", "VAULT_DEV_ROOT_TOKEN_ID"];

/// True for a key store whose command asks for development mode.
pub(crate) fn is_started_for_development(service: &Service) -> bool {
    let words = service.command.iter().chain(&service.entrypoint).flatten();
    words.filter_map(Text::as_literal).any(|word| word == "-dev" || word.starts_with("-dev-"))
}

/// True for a variable whose name says that its value opens something.
pub(crate) fn names_a_credential(variable: &str) -> bool {
    const WORDS: [&str; 8] =
        ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "CREDENTIAL"];
    // What a name that ends so holds is about the credential, not the credential.
    const ABOUT: [&str; 16] = [
        "_FILE",
        "_PATH",
        "_DIR",
        "_URL",
        "_URI",
        "_TTL",
        "_ID",
        "_NAME",
        "_HEADER",
        "_EXPIRY",
        "_EXPIRES",
        "_LENGTH",
        "_ALGORITHM",
        "_LIFETIME",
        "_ISSUER",
        "_ENABLED",
    ];
    let upper = variable.to_ascii_uppercase();
    WORDS.iter().any(|word| upper.contains(word)) && !ABOUT.iter().any(|end| upper.ends_with(end))
}

/// True for a value that cannot be a credential: a path, a switch, a small number.
pub(crate) fn is_no_credential(value: &str) -> bool {
    value.starts_with('/') || matches!(value, "true" | "false" | "yes" | "no") || value.parse::<u16>().is_ok()
}

/// True for a value that stands in tutorials and is the first that a scanner tries.
pub(crate) fn is_well_known(value: &str) -> bool {
    const KNOWN: [&str; 27] = [
        "postgres",
        "password",
        "passw0rd",
        "password1",
        "password123",
        "pass",
        "admin",
        "admin123",
        "administrator",
        "root",
        "toor",
        "guest",
        "changeme",
        "change_me",
        "change-me",
        "changethis",
        "secret",
        "supersecret",
        "mysecretpassword",
        "minioadmin",
        "test",
        "example",
        "letmein",
        "123456",
        "12345678",
        "qwerty",
        "default",
    ];
    KNOWN.contains(&value.to_ascii_lowercase().as_str())
}

/// The password inside a connection string: `s3` of `postgres://app:s3@db/app`.
pub(crate) fn password_in_dsn(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("://")?;
    let authority = after.split(['/', '?', ' ', '"']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    Some(password).filter(|password| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_reference_falls_into_its_parts() {
        let image = Image::parse("registry.example:5000/library/postgres:16.4-alpine@sha256:aa");
        assert_eq!(
            (image.name, image.tag, image.digest),
            ("postgres", Some("16.4-alpine"), Some("sha256:aa"))
        );
        assert_eq!(image.major(), Some(16));
        assert_eq!(Image::parse("localhost:5000/app").tag, None);
    }

    #[test]
    fn a_password_is_found_in_a_connection_string_and_nowhere_else() {
        assert_eq!(password_in_dsn("postgres://app:s3@db:5432/app"), Some("s3"));
        assert_eq!(password_in_dsn("redis://:s3@cache"), Some("s3"));
        assert_eq!(password_in_dsn("postgres://app@db/app"), None);
        assert_eq!(password_in_dsn("https://example.org/a:b@c"), None);
    }
}
