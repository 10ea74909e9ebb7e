//! Reads whatever bytes a fuzzer comes up with as a whole project: it must end, in a shape or in diagnostics.
//!
//! ```text
//! compose.yaml NUL compose.override.yaml NUL sub/base.yaml NUL .env NUL one.env NUL seaworthy.toml
//! ```
//!
//! Every other path is looked up by its last part, so that includes and extends find something.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stack::{Files, Found, Load, Request, load};

const NAMES: [&str; 6] = ["compose.yaml", "compose.override.yaml", "base.yaml", ".env", "one.env", "seaworthy.toml"];
/// Rounds of asking after which reading is said never to end: as many as files can include each other here, and more.
const MOST_ROUNDS: usize = 64;

fuzz_target!(|bytes: &[u8]| {
    let parts: Vec<&[u8]> = bytes.splitn(NAMES.len(), |byte| *byte == 0).collect();
    let look = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        let part = NAMES.iter().position(|known| *known == name).and_then(|index| parts.get(index));
        part.map_or(Found::Missing, |bytes| Found::File { bytes: bytes.to_vec(), mode: 0o644 })
    };
    let environment = [("SET", "set"), ("EMPTY", ""), ("NUMBER", "7"), ("DOLLAR", "x$y")];
    let request = Request {
        directory: "/srv/app".to_owned(),
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..Request::default()
    };
    let mut files = Files::new();
    for _ in 0..MOST_ROUNDS {
        match load(&request, &files) {
            Load::Done(loaded) => {
                assert!(loaded.compose.is_some() || !loaded.diagnostics.is_empty(), "refused, and not a word why");
                return;
            }
            Load::Needs(paths) => {
                for path in paths {
                    let found = look(&path);
                    assert!(files.insert(path.clone(), found).is_none(), "{path} is asked for twice");
                }
            }
        }
    }
    panic!("reading never ends");
});
