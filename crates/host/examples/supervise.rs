//! What the process engine starts beside services, as small as it can be: the tests' stand-in for the binary.

use std::{env, io, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["side", "supervise", dir] => supervise(Path::new(dir)),
        ["side", "read", path] => copy(path),
        ["side", "exit", code] => return ExitCode::from(code.parse::<u8>().unwrap_or(255)),
        _ => Err(io::Error::other(format!("do not know what `{}` is", words.join(" ")))),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn supervise(dir: &Path) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(host::process::supervise(dir))
}

fn copy(path: &str) -> io::Result<()> {
    let mut file = std::fs::File::open(path)?;
    io::copy(&mut file, &mut io::stdout()).map(drop)
}
