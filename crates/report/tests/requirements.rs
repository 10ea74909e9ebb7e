//! Which requirements are shown, and where.
//!
//! A test or a scenario claims requirements in a comment right above it: `// shows: A32 A34`, in a script
//! `# shows: A29`. `docs/requirements-claims.psv` records every claim; `docs/requirements.md` is generated. A claim
//! that is not recorded fails, and so does a recorded id that nothing claims any more: `UPDATE=1` records new claims
//! and never forgets an id, which has to be struck by hand.
#![expect(clippy::disallowed_methods, reason = "a test may read what the crate must not")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// Requirement id to the places that claim it.
type Claims = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_claim_is_recorded_and_no_recorded_id_has_lost_its_claim() {
    let requirements = requirements();
    let found = found();
    let unknown: Vec<&String> =
        found.keys().filter(|id| !requirements.iter().any(|it| it.id == **id)).collect();
    assert!(unknown.is_empty(), "claimed, and not in docs/requirements.psv: {unknown:?}");
    let recorded = recorded();
    let lost: Vec<&String> = recorded.keys().filter(|id| !found.contains_key(*id)).collect();
    assert!(
        lost.is_empty(),
        "recorded in docs/requirements-claims.psv, and nothing shows them any more: {lost:?}"
    );
    if std::env::var_os("UPDATE").is_some() {
        fs::write(root().join("docs/requirements-claims.psv"), record(&found))
            .expect("the record can be written");
        fs::write(root().join("docs/requirements.md"), page(&requirements, &found))
            .expect("the page can be written");
    }
    let how = "run `UPDATE=1 cargo test -p report --test requirements`";
    assert!(self::recorded() == found, "docs/requirements-claims.psv is stale: {how}");
    assert!(
        read("docs/requirements.md") == page(&requirements, &found),
        "docs/requirements.md is stale: {how}"
    );
}

#[test]
fn a_claim_names_the_test_below_it() {
    let text = "// shows: A1 A2\n#[test]\nfn it_works() {}\n\n// shows: A1\n/// Said.\nasync fn again() {}\n";
    let claims = claims_in("tests/a.rs", text);
    assert_eq!(claims["A1"], ["tests/a.rs: again", "tests/a.rs: it_works"].map(str::to_owned).into());
    assert_eq!(claims["A2"], ["tests/a.rs: it_works".to_owned()].into());
    let script = claims_in("ci/live/10.sh", "# shows: A29\nstep 'preflight is red'\n# shows: A5\nscan() {\n");
    assert_eq!(script["A29"], ["ci/live/10.sh".to_owned()].into());
    assert_eq!(script["A5"], ["ci/live/10.sh: scan".to_owned()].into());
}

struct Requirement {
    id: String,
    kind: String,
    how: String,
}

fn requirements() -> Vec<Requirement> {
    let text = read("docs/requirements.psv");
    let rows = text.lines().skip(1).map(|line| line.splitn(4, '|').collect::<Vec<_>>());
    rows.map(|row| match row.as_slice() {
        [id, _, kind, how] => {
            Requirement { id: (*id).to_owned(), kind: (*kind).to_owned(), how: (*how).to_owned() }
        }
        row => panic!("docs/requirements.psv has a row of {} fields", row.len()),
    })
    .collect()
}

/// Every claim in the tests and scripts of the repository.
fn found() -> Claims {
    let mut claims = Claims::new();
    for top in ["crates", "examples", "ci", ".ci"] {
        for file in files(&root().join(top)) {
            let name = file.strip_prefix(root()).expect("a file below the root").display().to_string();
            // This file speaks of claims and makes none.
            if name.ends_with("report/tests/requirements.rs") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap_or_default();
            for (id, places) in claims_in(&name, &text) {
                claims.entry(id).or_default().extend(places);
            }
        }
    }
    claims
}

/// The Rust files and scripts below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_script =
            path.extension().is_some_and(|end| end == "rs" || end == "sh") || path.ends_with(".ci/run");
        if path.is_dir() && !path.ends_with("target") {
            files.extend(self::files(&path));
        } else if is_script {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn claims_in(file: &str, text: &str) -> Claims {
    let mut claims = Claims::new();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (at, line) in lines.iter().enumerate() {
        let claim = line.strip_prefix("// shows: ").or_else(|| line.strip_prefix("# shows: "));
        for id in claim.into_iter().flat_map(str::split_whitespace) {
            claims.entry(id.to_owned()).or_default().insert(place(file, &lines[at + 1..]));
        }
    }
    claims
}

/// The file, and the name of the function that begins on the first line that is no comment and no attribute.
fn place(file: &str, below: &[&str]) -> String {
    let first =
        below.iter().find(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with('#'));
    let name = first.and_then(|line| {
        let rust = line.split_once("fn ").and_then(|(_, rest)| rest.split(['(', '<']).next());
        rust.or_else(|| line.strip_suffix("() {"))
    });
    name.map_or_else(|| file.to_owned(), |name| format!("{file}: {name}"))
}

fn recorded() -> Claims {
    let mut claims = Claims::new();
    for line in read("docs/requirements-claims.psv").lines().skip(1) {
        let (id, place) = line.split_once('|').expect("a claim is `id|where`");
        claims.entry(id.to_owned()).or_default().insert(place.to_owned());
    }
    claims
}

fn record(claims: &Claims) -> String {
    let rows =
        claims.iter().flat_map(|(id, places)| places.iter().map(move |place| format!("{id}|{place}\n")));
    format!("id|where\n{}", rows.collect::<String>())
}

fn page(requirements: &[Requirement], claims: &Claims) -> String {
    let mut page = String::from(
        "# Requirements\n\n\
         Generated from `requirements.psv` and the claims that tests and scenarios make \
         (`UPDATE=1 cargo test -p report --test requirements`).\n\n\
         | kind | shown | of |\n|---|---|---|\n",
    );
    let kinds: BTreeSet<&str> = requirements.iter().map(|it| it.kind.as_str()).collect();
    let of = |kind: &str| requirements.iter().filter(move |it| it.kind == *kind).collect::<Vec<_>>();
    for kind in &kinds {
        let all = of(kind);
        let shown = all.iter().filter(|it| claims.contains_key(&it.id)).count();
        let _ = writeln!(page, "| {kind} | {shown} | {} |", all.len());
    }
    for kind in &kinds {
        let (shown, not): (Vec<_>, Vec<_>) = of(kind).into_iter().partition(|it| claims.contains_key(&it.id));
        let _ = write!(page, "\n## {kind}\n\n");
        for it in &shown {
            let places: Vec<String> = claims[&it.id].iter().map(|place| format!("`{place}`")).collect();
            let _ = writeln!(page, "- **{}** {}\n  shown by {}", it.id, it.how, places.join(", "));
        }
        if !not.is_empty() {
            let ids: Vec<&str> = not.iter().map(|it| it.id.as_str()).collect();
            let before = if shown.is_empty() { "" } else { "\n" };
            let _ = writeln!(page, "{before}Not shown yet: {}.", ids.join(", "));
        }
    }
    page
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").components().collect::<PathBuf>()
}
