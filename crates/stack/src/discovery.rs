//! Which files, which variables, which profiles, which name: what comes before any file is understood.

use diag::Diagnostic;

use crate::{
    compose::dotenv::{Values, dotenv},
    load::Found,
    reading::{Reading, not_a_file},
    tree::Spot,
    variables::Variables,
};

/// Names under which Compose looks for its file, best first.
const DEFAULT_FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const DEFAULT_OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// Goes up to the nearest directory that has a Compose file, where neither the request nor a settings file says which
/// one is meant. `None`: the caller has to look first.
pub(crate) fn directory(reading: &Reading<'_>) -> Option<()> {
    if !reading.request.files.is_empty() || reading.request.directory_given {
        return Some(());
    }
    let start = reading.directory();
    let mut directory = start.as_str();
    loop {
        let at = |name: &&str| reading.find(&reading.absolute_from(directory, name));
        // Every candidate is asked for, so that the caller has to look only once.
        let found: Vec<_> = DEFAULT_FILES.iter().map(at).collect();
        let settings = if directory == start { at(&"seaworthy.toml") } else { Some(&Found::Missing) };
        let found: Vec<&Found> = found.into_iter().chain([settings]).collect::<Option<_>>()?;
        if found.into_iter().any(|found| *found != Found::Missing) {
            reading.set_directory(directory.to_owned());
            return Some(());
        }
        match directory.rsplit_once('/') {
            Some((parent, _)) if directory.len() > 1 => {
                directory = if parent.is_empty() { "/" } else { parent }
            }
            _ => return Some(()),
        }
    }
}

/// The variables of the shell, of the env files, of `.env`.
pub(crate) fn variables(reading: &Reading<'_>, env_files: &[String]) -> Variables {
    let mut variables = Variables::of_shell(&reading.request.environment);
    if variables.get("PWD").is_none() {
        variables.set("PWD", reading.here());
    }
    let listed = variables.get("COMPOSE_ENV_FILES").unwrap_or_default().split(',');
    let listed: Vec<String> = listed.filter(|file| !file.is_empty()).map(str::to_owned).collect();
    let env_files: Vec<String> = match env_files {
        [] => listed.iter().map(|file| reading.absolute_from(reading.here(), file)).collect(),
        given => given.iter().map(|file| reading.absolute(file)).collect(),
    };
    if env_files.is_empty() {
        let off = variables
            .get("COMPOSE_DISABLE_ENV_FILE")
            .is_some_and(|off| matches!(off, "1" | "t" | "T" | "true" | "TRUE" | "True"));
        let project = reading.directory();
        let found_upwards = reading.request.files.is_empty() && !reading.request.directory_given;
        let here = Some(reading.here()).filter(|here| found_upwards && *here != project);
        for directory in here.into_iter().chain([project.as_str()]).filter(|_| !off) {
            let path = reading.absolute_from(directory, ".env");
            if let Some(Found::File { bytes, .. }) = reading.find(&path) {
                let values = read(reading, &variables, &path, bytes, Values::new());
                variables.extend(values);
            }
        }
        return variables;
    }
    // Each is read over those before it, and the last wins.
    let mut values = Values::new();
    for path in &env_files {
        match reading.find(path) {
            Some(Found::File { bytes, .. }) => values = read(reading, &variables, path, bytes, values),
            Some(found) => reading.say(Spot::default(), not_a_file(found, &reading.seen(path), "env file")),
            None => {}
        }
    }
    variables.extend(values);
    variables
}

/// Reads one env file of the project over `values`.
pub(crate) fn read(
    reading: &Reading<'_>,
    variables: &Variables,
    path: &str,
    bytes: &[u8],
    mut values: Values,
) -> Values {
    let lookup = |name: &str| variables.get(name).map(str::to_owned);
    // What is wrong was said; what stands before it counts, so that less follows from it.
    let _ = dotenv(reading, &reading.seen(path), bytes, &mut values, &lookup);
    values
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
        let separator =
            variables.get("COMPOSE_PATH_SEPARATOR").filter(|separator| !separator.is_empty()).unwrap_or(":");
        let listed: Vec<String> =
            listed.split(separator).map(|file| reading.absolute_from(reading.here(), file)).collect();
        if let Some((directory, _)) = listed[0].rsplit_once('/').filter(|_| !reading.request.directory_given)
        {
            reading.set_directory(if directory.is_empty() { "/" } else { directory }.to_owned());
        }
        return listed;
    }
    if let Some(above) = above(reading) {
        return above;
    }
    let (file, over) = (present(reading, "", &DEFAULT_FILES), present(reading, "", &DEFAULT_OVERRIDES));
    let Some(file) = file else {
        let message = format!("there is no Compose file in `{}`", reading.directory());
        let said = Diagnostic::error("missing-file", message);
        let said = said.cause(format!("none of {} is there", DEFAULT_FILES.join(", ")));
        reading.say(Spot::default(), said.hint("go to the stack's directory, or name the file with -f"));
        return Vec::new();
    };
    std::iter::once(file).chain(over).collect()
}

/// The first of these names that stands in a directory, or in the project's.
fn present(reading: &Reading<'_>, directory: &str, names: &[&str]) -> Option<String> {
    let paths = names.iter().map(|name| match directory {
        "" => (*name).to_owned(),
        directory => format!("{}/{name}", directory.trim_end_matches('/')),
    });
    // Every candidate is asked for, so that the caller has to look only once.
    let there = |path: &String| !matches!(reading.find(&reading.absolute(path)), None | Some(Found::Missing));
    paths.filter(there).collect::<Vec<_>>().into_iter().next()
}

/// The files of the nearest directory above one that was given and has none: paths are seen from the given one still.
fn above(reading: &Reading<'_>) -> Option<Vec<String>> {
    if !reading.request.directory_given || present(reading, "", &DEFAULT_FILES).is_some() {
        return None;
    }
    let mut directory = reading.directory();
    while let Some((parent, _)) = directory.rsplit_once('/').filter(|_| directory.len() > 1) {
        if !reading.needs().is_empty() {
            // What was asked for may be there.
            return Some(Vec::new());
        }
        directory = if parent.is_empty() { "/" } else { parent }.to_owned();
        if let Some(file) = present(reading, &directory, &DEFAULT_FILES) {
            return Some(
                std::iter::once(file).chain(present(reading, &directory, &DEFAULT_OVERRIDES)).collect(),
            );
        }
    }
    None
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
    // Without any it is the empty one, which a service may name.
    listed.split(',').map(|name| name.trim().to_owned()).collect()
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
    let project = reading.directory();
    let directory = project.rsplit('/').find(|part| !part.is_empty());
    let of_file = of_file.filter(|name| !name.is_empty());
    let chosen = match of_file.is_some_and(|name| normal(name).is_empty()) {
        // A name that nothing is left of is not replaced by the directory's.
        true => None,
        false => {
            [of_stack, of_file, directory].into_iter().flatten().map(normal).find(|name| !name.is_empty())
        }
    };
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
