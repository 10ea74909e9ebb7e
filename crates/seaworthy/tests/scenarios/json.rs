//! `--json` everywhere: whatever comes of a verb, stdout is one JSON document that names its version.

use serde_json::Value;

use crate::{read, stage::Stage};

/// The verbs in the order of a life. `schema exit $ command`; a line that begins with `$` only prepares.
const LIFE: &str = "\
$ mv seaworthy.toml kept.toml; rm -rf secrets
seaworthy.init/1          0 $ seaworthy init
$ mv kept.toml seaworthy.toml
seaworthy.findings/1      1 $ seaworthy preflight
seaworthy.refusal/1       4 $ seaworthy deploy
seaworthy.run/1           4 $ seaworthy bootstrap
seaworthy.run/1           0 $ seaworthy bootstrap --shares-out ../shares
seaworthy.run/1           0 $ seaworthy bootstrap
seaworthy.plan/1          0 $ seaworthy plan deploy
seaworthy.run/1           0 $ seaworthy deploy
seaworthy.run/1           0 $ seaworthy deploy
seaworthy.status/1        0 $ seaworthy status
seaworthy.validate/1      0 $ seaworthy validate
seaworthy.doctor/1        0 $ seaworthy doctor
seaworthy.logs/1          0 $ seaworthy logs
seaworthy.render/1        0 $ seaworthy render
seaworthy.runs/1          0 $ seaworthy runs
seaworthy.run/1           0 $ seaworthy runs show r1
seaworthy.step/1          0 $ seaworthy runs show r1 --step 1
seaworthy.run/1           1 $ seaworthy backup
$ mkdir ../sets
seaworthy.backups/1       0 $ seaworthy backups
seaworthy.run/1           0 $ seaworthy backup
seaworthy.backups/1       0 $ seaworthy backups
seaworthy.refusal/1       4 $ seaworthy rollback
seaworthy.run/1           0 $ RELAY_FAULT=delay=1ms seaworthy deploy
seaworthy.run/1           0 $ seaworthy rollback
seaworthy.plan/1          0 $ seaworthy plan destroy
seaworthy.refusal/1       4 $ seaworthy drill --identity owner.txt
seaworthy.run/1           0 $ seaworthy drill --identity owner.txt --shares ../opened.txt
seaworthy.run/1           0 $ seaworthy destroy --confirm mail --volumes
seaworthy.run/1           0 $ seaworthy restore --identity owner.txt --shares ../opened.txt
seaworthy.check/1         0 $ seaworthy explain default-secret
seaworthy.production/1    0 $ seaworthy explain production
seaworthy.schema/1        0 $ seaworthy schema
seaworthy.completions/1   0 $ seaworthy completions bash
seaworthy.refusal/1       2 $ seaworthy init
seaworthy.refusal/1       2 $ seaworthy bootstrap --from-file nonsense
seaworthy.refusal/1       2 $ seaworthy render --shape none
seaworthy.refusal/1       2 $ seaworthy preflight --shape none
seaworthy.refusal/1       2 $ seaworthy plan deploy --shape none
seaworthy.refusal/1       2 $ seaworthy plan lunch
seaworthy.refusal/1       2 $ seaworthy deploy --shares nowhere
seaworthy.refusal/1       4 $ seaworthy rollback 9
seaworthy.refusal/1       2 $ seaworthy validate --shape none
seaworthy.refusal/1       4 $ seaworthy validate --engine docker
seaworthy.doctor/1        1 $ seaworthy doctor --engine docker
seaworthy.refusal/1       2 $ seaworthy status -f none.yaml
seaworthy.refusal/1       2 $ seaworthy logs nobody
seaworthy.refusal/1       2 $ seaworthy logs --follow
seaworthy.refusal/1       2 $ seaworthy runs show r99
seaworthy.refusal/1       2 $ seaworthy runs show r1 --step 99
seaworthy.refusal/1       2 $ seaworthy backup --identity nowhere
seaworthy.refusal/1       4 $ seaworthy backups --from ../nowhere
seaworthy.refusal/1       4 $ seaworthy restore 20010101T000000Z-00000000
seaworthy.refusal/1       4 $ seaworthy drill
seaworthy.refusal/1       4 $ seaworthy destroy
seaworthy.refusal/1       2 $ seaworthy attest r1 --who me --proof none
seaworthy.refusal/1       2 $ seaworthy explain nothing
seaworthy.refusal/1       2 $ seaworthy completions abacus
seaworthy.refusal/1       2 $ seaworthy breakfast
";

#[test]
fn every_verb_prints_one_document_that_names_its_version() {
    let relay = read("life/a-relay-and-its-keys");
    let stage = Stage::set("json", &relay, &[]);
    let mut wrong = Vec::new();
    for line in LIFE.lines() {
        let (expected, command) = line.split_once("$ ").unwrap();
        let Some((schema, exit)) = expected.split_once(' ') else {
            stage.run(command);
            continue;
        };
        if command.contains("opened.txt") {
            stage.open_shares("owner.txt ../opened.txt ../shares/share-1.age ../shares/share-2.age");
        }
        let (code, stdout, stderr) = stage.run(&format!("{command} --json"));
        let named = serde_json::from_str::<Value>(&stdout)
            .map(|document| document["schema"].as_str().unwrap_or("no schema").to_owned())
            .unwrap_or_else(|err| format!("no document ({err})"));
        if named != schema || code.to_string() != exit.trim() {
            wrong.push(format!("{command}\n  {named}, exit {code}; expected {expected}\n{stdout}{stderr}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
