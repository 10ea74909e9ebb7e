//! Runs on disk: what is kept, what a crash may cut, and what is refused as damaged.

use std::{
    error::Error,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use plan::{Entry, Outcome, Output, Plan, Record};
use runner::{RunError, RunStore, Unread};
use testkit::{
    ModelHost,
    blog::{blog, policy},
};

struct Kept {
    dir: tempfile::TempDir,
    store: RunStore,
}

fn store() -> Kept {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = RunStore::new(dir.path().join("runs"));
    Kept { dir, store }
}

impl Kept {
    fn path(&self, id: &str, name: &str) -> PathBuf {
        self.dir.path().join("runs").join(id).join(name)
    }

    /// The lines of a journal, as they lie on disk.
    fn lines(&self, id: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(id, "journal")).expect("it is there");
        text.lines().map(str::to_owned).collect()
    }
}

fn plan() -> Plan {
    let facts = ModelHost::new("blog").observe();
    plan::bootstrap(&blog(1), &[], &facts, &policy(&facts)).expect("it can be planned")
}

/// A run that has begun and done its first step.
fn begun(store: &RunStore) -> String {
    let mut run = store.create(plan()).expect("a directory of our own");
    let (step, at) = (run.plan().steps[0].id.clone(), run.plan().made_at);
    run.append(Entry::Began { at, epoch: None }).expect("a directory of our own");
    run.append(Entry::Started { step: step.clone(), at }).expect("a directory of our own");
    run.append(Entry::Succeeded { step, at, output: Output::Secret { version: 1 } })
        .expect("a directory of our own");
    run.id().to_owned()
}

/// An error with all its causes.
fn said(error: &(dyn Error + 'static)) -> String {
    diag::causes(error).join(": ")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_run_is_read_back_as_it_was_left() {
    let kept = store();
    let id = begun(&kept.store);
    let run = kept.store.open(&id).unwrap();
    assert_eq!((run.id(), run.plan(), run.progress().is_fresh()), ("r1", &plan(), false));
    assert_eq!(run.progress().done.values().collect::<Vec<_>>(), [&Output::Secret { version: 1 }]);
    assert_eq!(kept.store.journal(&id).unwrap().len(), 3);
    assert_eq!(kept.store.unfinished().unwrap().map(|run| run.id), Some("r1".to_owned()));
}

#[test]
fn a_run_that_is_over_is_not_unfinished() {
    let kept = store();
    let mut run = kept.store.create(plan()).unwrap();
    let at = run.plan().made_at;
    run.append(Entry::Abandoned { at, because: "somebody asked".to_owned() }).unwrap();
    let outcome = Outcome::Undone { step: None, because: vec!["somebody asked".to_owned()] };
    run.append(Entry::Ended { at, outcome }).unwrap();
    assert!(kept.store.unfinished().unwrap().is_none());
}

#[test]
fn ids_count_on_by_number_and_a_directory_without_a_plan_is_none() {
    let kept = store();
    for _ in 0..11 {
        kept.store.create(plan()).unwrap();
    }
    fs::create_dir_all(kept.path("r12", "")).unwrap();
    fs::create_dir_all(kept.path("notes", "")).unwrap();
    let ids: Vec<String> = kept.listed().into_iter().map(|(run, _)| run).collect();
    let by_number: Vec<String> = (1..=11).map(|number| format!("r{number}")).collect();
    assert_eq!(ids, by_number, "oldest first");
    assert_eq!(kept.store.create(plan()).unwrap().id(), "r12");
}

#[test]
fn nobody_but_the_owner_reads_a_run() {
    let kept = store();
    let id = begun(&kept.store);
    assert_eq!((mode(&kept.path(&id, "journal")), mode(&kept.path(&id, "plan.json"))), (0o600, 0o600));
    assert_eq!(mode(&kept.path(&id, "")), 0o700);
}

#[test]
fn a_last_line_that_is_cut_anywhere_was_never_written() {
    let kept = store();
    let id = begun(&kept.store);
    let whole = fs::read(kept.path(&id, "journal")).unwrap();
    let last = kept.lines(&id)[2].len() + 1;
    for cut in 1..=last {
        fs::write(kept.path(&id, "journal"), &whole[..whole.len() - cut]).unwrap();
        let mut run = kept.store.open(&id).unwrap();
        assert!(run.progress().done.is_empty(), "{cut} bytes cut");
        let (step, at) = (run.plan().steps[0].id.clone(), run.plan().made_at);
        run.append(Entry::Started { step, at }).unwrap();
        assert_eq!(kept.lines(&id).len(), 3, "{cut} bytes cut");
        kept.store.open(&id).unwrap();
    }
}

#[test]
fn looking_at_a_run_changes_nothing_not_even_a_line_that_is_being_written() {
    let kept = store();
    let id = begun(&kept.store);
    let mut half = fs::read(kept.path(&id, "journal")).unwrap();
    half.truncate(half.len() - 5);
    fs::write(kept.path(&id, "journal"), &half).unwrap();
    kept.store.list().unwrap();
    kept.store.read(&id).unwrap();
    kept.store.journal(&id).unwrap();
    kept.store.good_releases().unwrap();
    assert_eq!(fs::read(kept.path(&id, "journal")).unwrap(), half);
}

#[test]
fn a_line_that_was_changed_is_damage_with_its_number() {
    let kept = store();
    let id = begun(&kept.store);
    let lines = kept.lines(&id);
    for (at, line) in lines.iter().enumerate() {
        let mut changed = lines.clone();
        changed[at] = line.replacen('{', "[", 1);
        fs::write(kept.path(&id, "journal"), changed.join("\n") + "\n").unwrap();
        let error = kept.store.open(&id).unwrap_err();
        assert!(matches!(error, RunError::Damaged { line, .. } if line == at + 1), "{}", said(&error));
    }
}

#[test]
fn an_entry_of_an_unknown_kind_was_written_by_a_newer_version_and_stays_as_it_is() {
    let kept = store();
    let id = begun(&kept.store);
    let unknown = kept.lines(&id).join("\n") + "\n{\"entry\":\"teleported\"}\n";
    fs::write(kept.path(&id, "journal"), &unknown).unwrap();
    let error = kept.store.open(&id).unwrap_err();
    let path = kept.path(&id, "journal").display().to_string();
    let told =
        format!("`{path}` says at line 4 what this version does not know: unknown variant `teleported`");
    assert!(said(&error).starts_with(&told), "{}", said(&error));
    assert!(error.hint().is_some_and(|hint| hint.starts_with("a newer seaworthy wrote it")));
    assert_eq!(fs::read_to_string(kept.path(&id, "journal")).unwrap(), unknown);
}

#[test]
fn a_line_that_is_gone_tells_an_impossible_story() {
    let kept = store();
    let id = begun(&kept.store);
    let mut lines = kept.lines(&id);
    lines.remove(1);
    fs::write(kept.path(&id, "journal"), lines.join("\n") + "\n").unwrap();
    let error = said(&kept.store.open(&id).unwrap_err());
    assert!(error.contains("tells an impossible story: journal entry 2 cannot follow"), "{error}");
}

#[test]
fn a_journal_that_names_a_step_of_another_plan_is_refused() {
    let kept = store();
    let id = begun(&kept.store);
    let lines = kept.lines(&id).join("\n").replace("generate-db-password", "generate-another") + "\n";
    fs::write(kept.path(&id, "journal"), lines).unwrap();
    let error = said(&kept.store.open(&id).unwrap_err());
    assert!(
        error.contains("journal entry 2 names step `generate-another`, which the plan does not have"),
        "{error}"
    );
}

#[test]
fn a_damaged_plan_is_refused_with_its_line() {
    let kept = store();
    let id = begun(&kept.store);
    let text = fs::read_to_string(kept.path(&id, "plan.json")).unwrap();
    fs::write(kept.path(&id, "plan.json"), text.replacen("\"verb\"", "\"verb", 1)).unwrap();
    let error = kept.store.open(&id).unwrap_err();
    assert!(matches!(error, RunError::Damaged { line, .. } if line > 1), "{}", said(&error));
}

#[test]
fn a_plan_of_a_newer_version_is_refused_with_both_versions_whether_it_fits_or_not() {
    let kept = store();
    let id = begun(&kept.store);
    let text = fs::read_to_string(kept.path(&id, "plan.json")).unwrap();
    let newer = text.replace("seaworthy.plan/1", "seaworthy.plan/2");
    for newer in [newer.clone(), newer.replace("\"verb\"", "\"verbs\"")] {
        fs::write(kept.path(&id, "plan.json"), &newer).unwrap();
        let error = kept.store.open(&id).unwrap_err();
        let path = kept.path(&id, "plan.json").display().to_string();
        assert_eq!(
            said(&error),
            format!("`{path}` is of version `seaworthy.plan/2`, and this program reads `seaworthy.plan/1`")
        );
        assert!(error.hint().is_some_and(|hint| hint.starts_with("a newer seaworthy wrote it")));
        assert!(kept.store.unfinished().is_err(), "nobody plans over a run that is not understood");
        assert_eq!(fs::read_to_string(kept.path(&id, "plan.json")).unwrap(), newer);
    }
}

/// Cut at any byte of it, a journal is read up to its last whole entry, and goes on from there.
#[test]
fn a_journal_cut_at_every_byte_is_read_up_to_its_last_whole_entry() {
    let kept = store();
    let id = begun(&kept.store);
    let whole = fs::read(kept.path(&id, "journal")).unwrap();
    let entries = kept.store.journal(&id).unwrap();
    for cut in 0..=whole.len() {
        fs::write(kept.path(&id, "journal"), &whole[..cut]).unwrap();
        let whole_lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(kept.store.journal(&id).unwrap(), entries[..whole_lines], "cut at {cut}");
        let mut run = kept.store.open(&id).unwrap();
        run.append(Entry::Began { at: run.plan().made_at, epoch: None }).unwrap();
        let after = kept.store.journal(&id).unwrap();
        assert_eq!((after.len(), &after[..whole_lines]), (whole_lines + 1, &entries[..whole_lines]));
    }
}

/// A byte that turned over is told with file and line, or changes no more than a word within one entry: it never makes
/// the reader fail otherwise, and never costs an entry that is not told.
#[test]
fn a_byte_that_turned_over_anywhere_is_told_with_file_and_line() {
    let kept = store();
    let id = begun(&kept.store);
    let whole = fs::read(kept.path(&id, "journal")).unwrap();
    let lines = kept.lines(&id).len();
    let path = kept.path(&id, "journal").display().to_string();
    for at in 0..whole.len() {
        let mut turned = whole.clone();
        turned[at] ^= 0x80;
        fs::write(kept.path(&id, "journal"), &turned).unwrap();
        let line = whole[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        match kept.store.read(&id) {
            Err(error) => {
                let told = [
                    format!("`{path}` is damaged at line {line}"),
                    format!("`{path}` says at line {line} what"),
                ];
                assert!(told.iter().any(|told| said(&error).starts_with(told)), "{at}: {}", said(&error));
            }
            // The last line end is gone: what stands before it was never acknowledged.
            Ok(_) => assert_eq!((at, line), (whole.len() - 1, lines)),
        }
    }
}

#[test]
fn a_run_that_cannot_be_read_is_a_row_and_hides_no_other() {
    let kept = store();
    for _ in 0..3 {
        begun(&kept.store);
    }
    fs::write(kept.path("r1", "plan.json"), "").unwrap();
    fs::write(kept.path("r2", "journal"), "nonsense\n").unwrap();
    let row = |run: &str, how| (run.to_owned(), how);
    assert_eq!(kept.listed(), [row("r1", "unread"), row("r2", "unread"), row("r3", "unfinished")]);
    assert_eq!(kept.store.unfinished().unwrap().map(|run| run.id), Some("r3".to_owned()));
    fs::write(kept.path("r3", "journal"), "nonsense\n").unwrap();
    let error = kept.store.unfinished().unwrap_err();
    let run = kept.path("r3", "");
    let run = run.display().to_string();
    let run = run.trim_end_matches('/');
    assert!(error.hint().is_some_and(|hint| hint.ends_with(&format!("mv {run} {run}.damaged"))));
    fs::rename(run, format!("{run}.damaged")).unwrap();
    assert!(matches!(kept.store.unfinished(), Err(RunError::Damaged { .. })), "r2 is the newest now");
}

#[test]
fn a_run_that_is_not_there_is_unknown_whatever_its_name() {
    let kept = store();
    begun(&kept.store);
    for id in ["r2", "1", "", "../runs/r1", "r1/../r1"] {
        assert!(matches!(kept.store.open(id), Err(RunError::Unknown(_))), "{id}");
    }
}

#[test]
fn an_entry_that_cannot_follow_is_not_written() {
    let kept = store();
    let id = begun(&kept.store);
    let mut run = kept.store.open(&id).unwrap();
    let (step, at) = (run.plan().steps[0].id.clone(), run.plan().made_at);
    let error = run.append(Entry::Succeeded { step, at, output: Output::None }).unwrap_err();
    assert!(matches!(error, RunError::Impossible { .. }));
    assert_eq!(kept.lines(&id).len(), 3);
}

/// The stack's lock keeps two processes from carrying on one run. Where one has it in hand nevertheless, its journal
/// shows it: the second is told, and nothing is folded wrong.
#[test]
fn two_processes_on_one_run_are_found_out_at_the_next_opening() {
    let kept = store();
    let id = begun(&kept.store);
    let (mut one, mut other) = (kept.store.open(&id).unwrap(), kept.store.open(&id).unwrap());
    let (step, at) = (one.plan().steps[1].id.clone(), one.plan().made_at);
    for run in [&mut one, &mut other] {
        run.append(Entry::Started { step: step.clone(), at }).unwrap();
        run.append(Entry::Succeeded { step: step.clone(), at, output: Output::None }).unwrap();
    }
    let error = said(&kept.store.open(&id).unwrap_err());
    assert!(error.contains("journal entry 6 cannot follow"), "{error}");
}

/// A run that somebody took back before it had begun.
fn taken_back(store: &RunStore) -> String {
    let mut run = store.create(plan()).expect("a directory of our own");
    let (at, because) = (run.plan().made_at, "somebody asked".to_owned());
    run.append(Entry::Abandoned { at, because: because.clone() }).expect("a directory of our own");
    let outcome = Outcome::Undone { step: None, because: vec![because] };
    run.append(Entry::Ended { at, outcome }).expect("a directory of our own");
    run.id().to_owned()
}

impl Kept {
    fn index(&self) -> PathBuf {
        self.dir.path().join("runs").join("index")
    }

    /// Each run and how it stands, oldest first.
    fn listed(&self) -> Vec<(String, &'static str)> {
        let rows = self.store.list().expect("the directory can be listed");
        let row = |row: Result<Record, Unread>| match row {
            Ok(record) => (record.run, record.outcome.as_str()),
            Err(unread) => (unread.run, "unread"),
        };
        rows.into_iter().map(row).collect()
    }
}

#[test]
fn a_run_that_is_over_is_listed_without_its_journal() {
    let kept = store();
    let over = taken_back(&kept.store);
    begun(&kept.store);
    fs::remove_file(kept.path(&over, "journal")).unwrap();
    assert_eq!(kept.listed(), [("r1".to_owned(), "undone"), ("r2".to_owned(), "unfinished")]);
    assert_eq!(mode(&kept.index()), 0o600);
}

#[test]
fn an_index_that_is_missing_cut_or_damaged_changes_nothing_and_is_whole_after_the_next_run() {
    let kept = store();
    for _ in 0..3 {
        taken_back(&kept.store);
    }
    let whole = fs::read_to_string(kept.index()).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let rotten = [
        String::new(),
        whole[..whole.len() - 9].to_owned(),
        lines[..2].concat(),
        format!("{}nonsense\n{}", lines[0], lines[2..].concat()),
        whole.replace("run-index/1", "run-index/9"),
        lines[1..].concat(),
    ];
    let mut ids: Vec<String> = ["r1", "r2", "r3"].map(str::to_owned).into();
    for rotten in rotten {
        fs::write(kept.index(), &rotten).unwrap();
        let known = |ids: &[String]| ids.iter().map(|id| (id.clone(), "undone")).collect::<Vec<_>>();
        assert_eq!(kept.listed(), known(&ids), "{rotten}");
        assert!(kept.store.unfinished().unwrap().is_none(), "{rotten}");
        ids.push(taken_back(&kept.store));
        assert_eq!(kept.listed(), known(&ids), "{rotten}");
        for id in &ids {
            let line = format!("{{\"run\":\"{id}\",");
            assert_eq!(fs::read_to_string(kept.index()).unwrap().matches(&line).count(), 1, "{rotten}");
        }
    }
}

#[test]
fn a_run_whose_directory_was_removed_is_not_listed() {
    let kept = store();
    let (first, second) = (taken_back(&kept.store), taken_back(&kept.store));
    fs::remove_dir_all(kept.path(&first, "")).unwrap();
    assert_eq!(kept.listed(), [(second, "undone")]);
}
