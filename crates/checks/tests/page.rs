//! `docs/checks.md` says what the catalogue says.
#![expect(clippy::disallowed_methods, reason = "a test may read what the crate must not")]

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/checks.md");

#[test]
fn the_page_of_checks_is_up_to_date() {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, checks::page()).expect("the page can be written");
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(written == checks::page(), "stale: run `UPDATE=1 cargo test -p checks --test page`");
}
