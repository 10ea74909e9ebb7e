//! The side jobs of this crate as a program of their own: what its tests run beside a volume.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    backup::side::run(&arguments).await
}
