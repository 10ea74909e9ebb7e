//! Which files, which variables, which profiles, which name: what comes before any file is understood.

use diag::Diagnostic;

use crate::{
    environment::not_a_file,
    load::Found,
    reading::Reading,
    tree::Spot,
    variables::{self, Assignment, Variables},
};

/// Names under which Compose looks for its file, best first.
const DEFAULT_FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const DEFAULT_OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// The variables of the shell, of the env files, of `.env`.
pub(crate) fn variables(reading: &Reading<'_>, env_files: &[String]) -> Variables {
    let mut variables = Variables::of_shell(&reading.request.environment);
    if env_files.is_empty() {
        if let Some(Found::File { bytes, .. }) = reading.find(&reading.absolute(".env")) {
            add(reading, &mut variables, ".env", bytes);
        }
        return variables;
    }
    // The last one wins, so it comes first.
    for file in env_files.iter().rev() {
        match reading.find(&reading.absolute(file)) {
            Some(Found::File { bytes, .. }) => add(reading, &mut variables, file, bytes),
            Some(found) => reading.say(Spot::default(), not_a_file(found, file, "env file")),
            None => {}
        }
    }
    variables
}

fn add(reading: &Reading<'_>, variables: &mut Variables, file: &str, bytes: &[u8]) {
    let values = variables::dotenv(reading, file, bytes, &|name| variables.get(name).map(str::to_owned));
    let set = |(name, assignment)| match assignment {
        Assignment::Set(value) => Some((name, value)),
        Assignment::Inherited => None,
    };
    variables.extend(values.into_iter().filter_map(set).collect());
}

/// The Compose files, in merge order: those of the request, those of the shape, or those that Compose finds.
pub(crate) fn files(reading: &Reading<'_>, of_shape: &[String], variables: &Variables) -> Vec<String> {
    if !reading.request.files.is_empty() {
        return reading.request.files.clone();
    }
    if !of_shape.is_empty() {
        return of_shape.to_vec();
    }
    if let Some(listed) = variables.get("COMPOSE_FILE").filter(|listed| !listed.is_empty()) {
        let separator = variables.get("COMPOSE_PATH_SEPARATOR").unwrap_or(":");
        return listed.split(separator).map(str::to_owned).collect();
    }
    // Every candidate is asked for, so that the caller has to look only once.
    let present = |names: &[&str]| {
        let found: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| !matches!(reading.find(&reading.absolute(name)), None | Some(Found::Missing)))
            .collect();
        found.first().map(|name| (*name).to_owned())
    };
    let (file, over) = (present(&DEFAULT_FILES), present(&DEFAULT_OVERRIDES));
    let Some(file) = file else {
        let message = format!("there is no Compose file in `{}`", reading.request.directory);
        let said = Diagnostic::error("missing-file", message);
        let said = said.cause(format!("none of {} is there", DEFAULT_FILES.join(", ")));
        reading.say(Spot::default(), said.hint("go to the stack's directory, or name the file with -f"));
        return Vec::new();
    };
    std::iter::once(file).chain(over).collect()
}

/// The profiles that are on: of the request, of the shape, of `COMPOSE_PROFILES`. Each replaces the next.
pub(crate) fn profiles(reading: &Reading<'_>, of_shape: &[String], variables: &Variables) -> Vec<String> {
    if !reading.request.profiles.is_empty() {
        return reading.request.profiles.clone();
    }
    if !of_shape.is_empty() {
        return of_shape.to_vec();
    }
    let listed = variables.get("COMPOSE_PROFILES").unwrap_or_default();
    listed.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The project name: `-p`, `COMPOSE_PROJECT_NAME`, `[stack] name`, `name:` of the last file that has one, the
/// directory. The first two must be normal already; the others are made so.
pub(crate) fn name(
    reading: &Reading<'_>,
    of_stack: Option<&str>,
    of_file: Option<&str>,
    variables: &Variables,
) -> String {
    let given = [
        ("-p", reading.request.project_name.as_deref()),
        ("COMPOSE_PROJECT_NAME", variables.get("COMPOSE_PROJECT_NAME")),
    ];
    for (by, name) in given {
        let Some(name) = name.filter(|name| !name.is_empty()) else { continue };
        if normal(name) != name {
            let message = format!("`{name}`, given by {by}, is no project name");
            let said = Diagnostic::error("bad-name", message);
            reading.say(
                Spot::default(),
                said.hint("use lower-case letters, digits, `-` and `_`, a letter or digit first"),
            );
        }
        return normal(name);
    }
    let directory = reading.request.directory.rsplit('/').find(|part| !part.is_empty());
    let chosen =
        [of_stack, of_file, directory].into_iter().flatten().map(normal).find(|name| !name.is_empty());
    chosen.unwrap_or_else(|| {
        let said = Diagnostic::error("bad-name", "the stack has no name, and its directory gives none");
        reading.say(Spot::default(), said.hint("write `name:` in the Compose file, or give one with -p"));
        "default".to_owned()
    })
}

/// A name as Compose normalises it: `__My.Proj` becomes `myproj`.
pub(crate) fn normal(name: &str) -> String {
    let kept: String = name
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
        .collect();
    kept.trim_start_matches(['_', '-']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn a_project_name_is_normalised_as_compose_does() {
        assert_eq!(normal("__My.Proj"), "myproj");
        assert_eq!(normal("web-app_2"), "web-app_2");
    }
}
