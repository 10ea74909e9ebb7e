//! `explain`: what stands behind a check, and what production forbids.

use std::fmt::Write;

use checks::{Check, PRODUCTION, Reach};

/// A check in full.
pub fn explanation(check: &Check) -> String {
    let number = check.catalogue.map(|number| format!(" ({number})")).unwrap_or_default();
    let weight = match check.production {
        Reach::Everywhere => check.level.as_str().to_owned(),
        Reach::Heavier(level) => format!("{}; in production {}", check.level.as_str(), level.as_str()),
        Reach::ProductionOnly => format!("{}, in a production shape only", check.level.as_str()),
    };
    let mut text = format!("{}{number}: {}\n\n", check.id, check.what);
    let _ = writeln!(text, "  weight: {weight}");
    let _ = writeln!(text, "  looks at: {}", check.mode.as_str());
    let _ = writeln!(text, "  why: {}", check.why);
    let _ = writeln!(text, "  source: {}", check.source);
    let _ = writeln!(text, "  fix: {}", check.fix);
    text
}

/// What production forbids: one table.
pub fn production() -> String {
    let mut text = String::from("a production shape is refused with\n\n");
    for row in PRODUCTION {
        let _ = writeln!(text, "  {}\n    {}; refused by: {}", row.what, row.why, row.by);
    }
    text
}
