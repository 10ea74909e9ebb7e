//! Every check with a shape that it finds fault with and one that it leaves in peace.

mod backup;
mod databases;
mod findings;
mod images;
mod networks;
mod production;
mod runtime;
mod secrets;
mod shapes;

/// Every check has its pair of shapes somewhere in these files.
#[test]
fn every_check_is_shown_red_and_green() {
    let tests = [
        include_str!("backup.rs"),
        include_str!("databases.rs"),
        include_str!("images.rs"),
        include_str!("networks.rs"),
        include_str!("production.rs"),
        include_str!("runtime.rs"),
        include_str!("secrets.rs"),
    ]
    .concat();
    for check in checks::all() {
        assert!(tests.contains(&format!("\"{}\"", check.id)), "`{}` has no test", check.id);
    }
}
