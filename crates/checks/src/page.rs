//! The page of all checks, generated: what stands in `docs/checks.md`.

use std::fmt::Write;

use crate::{CATALOGUE, Check, PRODUCTION, Reach};

/// The whole page, as Markdown.
pub fn page() -> String {
    let mut page = String::from(
        "# Checks\n\n\
         Generated from the catalogue in `crates/checks` (`UPDATE=1 cargo test -p checks`). `seaworthy explain ID` \
         prints the same.\n\n\
         Critical and high are errors, medium is a warning, low a note. Numbers are those of the catalogue of known \
         checks.\n",
    );
    for (group, checks) in CATALOGUE {
        let _ = write!(page, "\n## {group}\n");
        for check in checks {
            page.push_str(&entry(check));
        }
    }
    page.push_str("\n## What production forbids\n\n| what | why | refused by |\n|---|---|---|\n");
    for row in PRODUCTION {
        let _ = writeln!(page, "| {} | {} | {} |", row.what, row.why, row.by);
    }
    page
}

fn entry(check: &Check) -> String {
    let weight = match check.production {
        Reach::Everywhere => check.level.as_str().to_owned(),
        Reach::Heavier(level) => format!("{}, in production {}", check.level.as_str(), level.as_str()),
        Reach::ProductionOnly => format!("{}, in production only", check.level.as_str()),
    };
    let number = check.catalogue.map(|number| format!(" ({number})")).unwrap_or_default();
    let mut entry = format!("\n### `{}`{number}\n\n", check.id);
    let _ = write!(
        entry,
        "Finds: {}.\n\n- Weight: {weight}. Looks at {}.\n- Why: {}.\n- Fix: {}.\n- Source: {}.\n",
        check.what,
        check.mode.as_str(),
        check.why,
        check.fix,
        check.source,
    );
    if !check.requirements.is_empty() {
        let _ = writeln!(entry, "- Requirements: {}.", check.requirements.join(", "));
    }
    entry
}
