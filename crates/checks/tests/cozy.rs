//! The checks over examples/cozy as it is read: nothing but what a first deploy needs, and red for each mistake that
//! its isolation is there to prevent.
#![expect(clippy::disallowed_methods, reason = "a test may read what the crate must not")]

use std::{fs, path::Path};

use checks::{Finding, Input};
use diag::Severity;
use stack::{EngineKind, Files, Found, Load, Loaded, Request};

/// Reads a shape of examples/cozy; with `overlay`, another Compose file on top.
fn cozy(shape: &str, overlay: Option<&str>) -> Loaded {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/cozy")
        .canonicalize()
        .expect("it is there");
    let directory = root.display().to_string();
    let mut files = Files::new();
    let mut request =
        Request { directory: directory.clone(), shape: Some(shape.to_owned()), ..Request::default() };
    if let Some(overlay) = overlay {
        let bytes = overlay.as_bytes().to_vec();
        files.insert(format!("{directory}/overlay.yaml"), Found::File { bytes, mode: 0o644 });
        let over = match shape {
            "prod" => vec!["compose.yaml", "compose.prod.yaml", "overlay.yaml"],
            _ => vec!["compose.yaml", "overlay.yaml"],
        };
        request.files = over.into_iter().map(ToOwned::to_owned).collect();
    }
    loop {
        match stack::load(&request, &files) {
            Load::Done(loaded) => return *loaded,
            Load::Needs(paths) => files.extend(paths.into_iter().map(|path| {
                let found = match fs::read(&path) {
                    Ok(bytes) => Found::File { bytes, mode: 0o644 },
                    Err(_) => Found::Missing,
                };
                (path, found)
            })),
        }
    }
}

/// The errors of all checks that need nothing but the files.
fn errors(loaded: &Loaded) -> Vec<Finding> {
    let shape = loaded.shape.as_ref().unwrap_or_else(|| panic!("a shape: {:?}", loaded.diagnostics));
    let input = Input {
        shape,
        places: &loaded.places,
        engine: EngineKind::Docker,
        materials: Some(&loaded.materials),
        stored: None,
        facts: None,
    };
    checks::run(&input).into_iter().filter(|finding| finding.severity == Severity::Error).collect()
}

fn slugs(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.check.as_str()).collect()
}

#[test]
fn every_shape_is_clean_but_for_the_recipients_a_person_has_to_name() {
    assert_eq!(slugs(&errors(&cozy("local", None))), [""; 0]);
    assert_eq!(slugs(&errors(&cozy("tunnel", None))), [""; 0]);
    assert_eq!(slugs(&errors(&cozy("prod", None))), ["missing-recipients"]);
}

#[test]
fn a_port_of_the_relay_is_one_too_many() {
    let errors = errors(&cozy("local", Some("services: { relay: { ports: ['8080:8080'] } }\n")));
    assert_eq!(slugs(&errors), ["published-undeclared"]);
    let place = errors[0].place.as_ref().expect("a place");
    assert!(place.file.ends_with("overlay.yaml"), "it is said where: {place}");
}

#[test]
fn a_published_database_is_red_twice() {
    let errors = errors(&cozy("local", Some("services: { postgres: { ports: ['5432:5432'] } }\n")));
    assert_eq!(slugs(&errors), ["database-published", "published-undeclared"]);
}

#[test]
fn a_database_at_the_edge_is_red() {
    let errors = errors(&cozy("local", Some("services: { postgres: { networks: [edge] } }\n")));
    assert_eq!(slugs(&errors), ["data-store-at-edge"]);
}

#[test]
fn a_data_network_with_a_way_out_is_red_in_production() {
    let errors = errors(&cozy("prod", Some("networks: { internal: { internal: false } }\n")));
    let mut found = slugs(&errors);
    found.dedup();
    assert_eq!(found, ["data-network-not-internal", "missing-recipients"]);
}

#[test]
fn a_development_token_in_production_is_red() {
    let overlay = "services: { bao: { environment: { BAO_DEV_ROOT_TOKEN_ID: dev-root } } }\n";
    let errors = errors(&cozy("prod", Some(overlay)));
    assert!(slugs(&errors).contains(&"dev-token-in-production"), "{:?}", slugs(&errors));
}
