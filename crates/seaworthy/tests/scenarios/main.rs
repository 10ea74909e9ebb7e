//! Scenarios: files to make, commands in, the whole transcript out. The file is the test; see `script` for its form.
//!
//! `UPDATE=1 cargo test -p seaworthy --test scenarios` writes down what is said now; read the difference before it is
//! committed. `SCENARIO=lock` runs those whose name holds the word.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod doctor;
mod json;
mod normal;
mod script;
mod stage;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Mutex,
};

use script::{Command, Script};
use stage::Stage;

#[test]
fn every_scenario_says_what_its_file_says() {
    let asked = std::env::var("SCENARIO").unwrap_or_default();
    let left = Mutex::new(files());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((name, path)) = { left.lock().unwrap().pop() } {
                    if !name.contains(&asked) {
                        continue;
                    }
                    if let Err(failure) = check(&name, &path) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// What a mistake costs: nothing but an answer.
#[test]
fn every_bad_input_ends_refused_or_undone() {
    for (name, path) in files().into_iter().filter(|(name, _)| name.starts_with("bad-input/")) {
        let script = Script::parse(&fs::read_to_string(path).unwrap());
        let ours = |command: &&Command| command.line.contains("seaworthy");
        let ends = script.commands.iter().filter(ours).filter_map(|command| command.said.lines().last());
        let ends: Vec<&str> = ends.filter(|line| line.starts_with("exit ")).collect();
        let well = ["exit 1", "exit 2, nothing touched", "exit 4, nothing touched"];
        assert!(!ends.is_empty(), "{name} refuses nothing");
        assert!(ends.iter().all(|end| well.contains(end)), "{name} ends with {ends:?}");
    }
}

/// All scenario files, the last in the alphabet first, by their name below this folder.
fn files() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut found = Vec::new();
    for folder in ["bad-input", "life"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_stem().unwrap().to_string_lossy());
            if path.extension().is_some_and(|extension| extension == "txt") {
                found.push((name, path));
            }
        }
    }
    found.sort_by(|one, other| other.cmp(one));
    found
}

/// The scenario of this name.
fn read(name: &str) -> Script {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(format!("{name}.txt"));
    Script::parse(&fs::read_to_string(path).unwrap())
}

/// Plays one scenario and compares, or writes down.
fn check(name: &str, path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).unwrap();
    let script = Script::parse(&text);
    let others = script.files_of.as_ref().map(|other| read(other).files).unwrap_or_default();
    let stage = Stage::set(name, &script, &others);
    if let Some(missing) = script.needs.iter().find_map(|need| stage.lacks(need)) {
        return skip(name, &missing);
    }
    let played =
        Script { commands: script.commands.iter().map(|command| stage.play(command)).collect(), ..script };
    let said = played.to_string();
    if said == text {
        return Ok(());
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, said).unwrap();
        return Ok(());
    }
    Err(format!("{name} is not what its file says (- file, + now):\n{}", difference(&text, &said)))
}

/// Says so past the harness, which keeps what passing tests print to itself.
fn skip(name: &str, missing: &str) -> Result<(), String> {
    let said = format!("skipped: scenario {name}: {missing}\n");
    std::io::stderr().write_all(said.as_bytes()).unwrap();
    match std::env::var_os("SEAWORTHY_LIVE") {
        Some(_) => Err(format!("{name} was skipped where nothing may be: {missing}")),
        None => Ok(()),
    }
}

/// The lines that differ, with the command they come after.
fn difference(file: &str, now: &str) -> String {
    let (file, now): (Vec<&str>, Vec<&str>) = (file.lines().collect(), now.lines().collect());
    let same = file.iter().zip(&now).take_while(|(one, other)| one == other).count();
    let tail = file[same..].iter().rev().zip(now[same..].iter().rev());
    let tail = tail.take_while(|(one, other)| one == other).count();
    let command = file[..same].iter().rfind(|line| line.starts_with("$ ")).copied().unwrap_or_default();
    // The first lines tell what it is about; UPDATE=1 and a look at the file tell the rest.
    let marked = |mark: char, lines: &[&str]| {
        lines
            .iter()
            .take(20)
            .map(|line| {
                format!(
                    "{mark} {line}
"
                )
            })
            .collect::<String>()
    };
    let (gone, new) = (&file[same..file.len() - tail], &now[same..now.len() - tail]);
    format!("  {command}\n{}{}", marked('-', gone), marked('+', new))
}
