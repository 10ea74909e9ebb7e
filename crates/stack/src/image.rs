//! The name of an image, taken apart: `[REGISTRY/]PATH[:TAG][@DIGEST]`.

/// The registry that a name says, if it says one, with its port: as the Docker client reads it.
pub fn registry(image: &str) -> Option<&str> {
    let (first, _) = image.split_once('/')?;
    (first.contains(['.', ':']) || first == "localhost").then_some(first)
}

/// The name without tag and digest.
pub fn repository(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    match name.rsplit_once(':') {
        // A colon before the last slash is that of a port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

/// The name with `:latest` where it has neither tag nor digest.
pub fn tagged(image: &str) -> String {
    match image == repository(image) {
        true => format!("{image}:latest"),
        false => image.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_apart() {
        let table = [
            ("postgres", None, "postgres", "postgres:latest"),
            ("postgres:15", None, "postgres", "postgres:15"),
            ("library/postgres", None, "library/postgres", "library/postgres:latest"),
            ("localhost/app:7", Some("localhost"), "localhost/app", "localhost/app:7"),
            ("registry:5000/app", Some("registry:5000"), "registry:5000/app", "registry:5000/app:latest"),
            ("registry:5000/app:7", Some("registry:5000"), "registry:5000/app", "registry:5000/app:7"),
            ("ghcr.io/a/b@sha256:00", Some("ghcr.io"), "ghcr.io/a/b", "ghcr.io/a/b@sha256:00"),
            ("app@sha256:00", None, "app", "app@sha256:00"),
            ("app:7@sha256:00", None, "app", "app:7@sha256:00"),
        ];
        for (image, registry_of, repository_of, with_tag) in table {
            assert_eq!(registry(image), registry_of, "{image}");
            assert_eq!(repository(image), repository_of, "{image}");
            assert_eq!(tagged(image), with_tag, "{image}");
        }
    }
}
