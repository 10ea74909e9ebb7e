//! `docs/seaworthy.schema.json` is the schema of `seaworthy.toml`: what an editor reads without the program.
#![expect(clippy::disallowed_methods, reason = "a test may read what the crate must not")]

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/seaworthy.schema.json");

#[test]
fn the_schema_that_editors_read_is_up_to_date() {
    let schema = serde_json::to_string_pretty(&stack::schema()).expect("a schema is plain data") + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, &schema).expect("the schema can be written");
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(written == schema, "stale: run `UPDATE=1 cargo test -p stack --test page`");
}
