//! What `docker compose` makes of a key and what we make of it: the engine is asked about both, and says the same.
//!
//! Each row is a service, as a Compose file has it and as a plan has it. All are made and none is started, so that what
//! this very machine cannot run is compared as well. Left out: names, ids, times, addresses, what only we label, and
//! the labels that say which files and which hash something was made from.

use std::process::Command;

use plan::{Container, Effect, needs::Api};
use serde_json::{Map, Value, json};

use crate::support::{Stack, create};

#[path = "compose_rows.rs"]
mod rows;

/// A key, the service in a Compose file, and what differs of the container that a plan has for it.
pub(crate) struct Row {
    key: &'static str,
    compose: Value,
    planned: Value,
    /// The API that brought it. An older engine would leave it out, and say nothing: we refuse it there.
    since: Api,
}

#[test]
fn every_key_that_is_run_has_a_row_or_a_reason_why_it_has_none() {
    let file = file("image", &rows::rows("p", "image"), (1, 99));
    let reasoned = |key: &str| rows::WITHOUT_A_ROW.iter().any(|(known, _)| *known == key);
    let wrong = stack::keys().into_iter().filter_map(|(key, fate)| {
        let in_a_row = says(&file, &key.split('.').collect::<Vec<_>>());
        match (fate, in_a_row, reasoned(&key)) {
            (stack::Fate::Run, false, false) => Some(format!("`{key}` has neither a row nor a reason")),
            (stack::Fate::Run, true, true) => {
                Some(format!("`{key}` has a row, and a reason why it has none"))
            }
            (stack::Fate::Refused(_) | stack::Fate::Ignored(_), false, true) => {
                Some(format!("`{key}` is not run"))
            }
            _ => None,
        }
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a file says something at this path. `*` is any name, `[]` any item.
fn says(said: &Value, path: &[&str]) -> bool {
    let Some((key, rest)) = path.split_first() else { return true };
    match (said, *key) {
        (Value::Object(fields), "*") => fields.values().any(|said| says(said, rest)),
        (Value::Array(items), "[]") => items.iter().any(|said| says(said, rest)),
        (Value::Object(fields), key) => fields.get(key).is_some_and(|said| says(said, rest)),
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_compose_makes_of_each_key_is_what_we_make_of_it() {
    let Some(stack) = Stack::new("equal").await else { return };
    if !answers(Command::new("docker").args(["compose", "version"])) {
        println!("skipped: no `docker compose`");
        return;
    }
    let api = stack.api().await;
    let rows = rows::rows(&stack.project, &stack.image);
    let (rows, untold): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.since <= api);
    for row in untold {
        let refused = stack.apply(&create(&planned(&stack, &row))).await.expect_err(row.key);
        assert_eq!(refused.trouble, host::Trouble::Unsupported, "{}: {refused}", row.key);
        println!("{:32} refused: {}", row.key, refused.hint.unwrap_or_default());
    }
    if api < (1, 48) {
        let network = plan::NetworkSpec { enable_ipv4: Some(false), ..stack.network("fourth", false) };
        let refused = stack.apply(&Effect::EnsureNetwork { network }).await.unwrap_err();
        assert_eq!(refused.trouble, host::Trouble::Unsupported, "{refused}");
    }
    let theirs = Theirs::make(&stack, &rows, api);
    make_ours(&stack, &rows, api).await;
    let mut differing = Vec::new();
    for row in &rows {
        let of = |project: &str| seen(project, "container", &format!("{project}-{}-1", row.key));
        compare(row.key, &of(&theirs.0), &of(&stack.project), &mut differing);
    }
    let networks = rows::networks_of(api).into_iter().map(|(key, ..)| ("network", key));
    for (kind, name) in networks.chain([("network", "default"), ("volume", "data")]) {
        let of = |project: &str| seen(project, kind, &format!("{project}_{name}"));
        compare(&format!("{kind} {name}"), &of(&theirs.0), &of(&stack.project), &mut differing);
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

fn compare(what: &str, theirs: &Value, ours: &Value, differing: &mut Vec<String>) {
    let differences = differences("", theirs, ours);
    println!("{what:32} {}", if differences.is_empty() { "equal" } else { "differs" });
    differing.extend(differences.iter().map(|difference| format!("{what}: {difference}")));
}

#[test]
fn a_difference_is_seen() {
    let said =
        |dns: Value| normal("p", json!({ "HostConfig": { "Dns": dns, "Binds": ["b:/b:rw", "a:/a:rw"] } }));
    let (theirs, ours) = (said(json!(["1.1.1.1"])), said(json!(["9.9.9.9"])));
    assert_eq!(differences("", &theirs, &theirs), Vec::<String>::new());
    let said = differences("", &theirs, &ours);
    assert_eq!(said, [r#"/HostConfig/Dns: Compose has ["1.1.1.1"], we have ["9.9.9.9"]"#]);
}

/// The Compose file that has these rows.
fn file(image: &str, rows: &[Row], api: Api) -> Value {
    let services = rows.iter().map(|row| {
        let mut service = json!({ "image": image });
        service.as_object_mut().unwrap().extend(row.compose.as_object().unwrap().clone());
        (row.key.to_owned(), service)
    });
    let mut file = rows::around(api);
    file["services"] = services.collect::<Map<_, _>>().into();
    file
}

/// The project that Compose made; taken down again at the end.
struct Theirs(String);

impl Theirs {
    fn make(stack: &Stack, rows: &[Row], api: Api) -> Self {
        let project = format!("{}-theirs", stack.project);
        let file = file(&stack.image, rows, api);
        let dir = std::env::temp_dir().join(&project);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("compose.yaml"), file.to_string()).unwrap();
        let theirs = Self(project);
        let made = theirs.compose(&["up", "--no-start", "--quiet-pull"]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        theirs
    }

    fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["compose", "-p", &self.0]).args(arguments);
        command.current_dir(std::env::temp_dir().join(&self.0));
        command
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        answers(&mut self.compose(&["down", "--volumes", "--timeout", "0"]));
        drop(std::fs::remove_dir_all(std::env::temp_dir().join(&self.0)));
    }
}

fn answers(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

async fn make_ours(stack: &Stack, rows: &[Row], api: Api) {
    let networks = rows::networks_of(api).into_iter().map(|(key, labels, said)| (key, labels, said.1));
    for (key, labels, said) in networks.chain([("default", [].as_slice(), json!({}))]) {
        let mut network = serde_json::to_value(stack.network(key, false)).unwrap();
        network.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        network["labels"]["com.docker.compose.network"] = key.into();
        for (label, value) in labels {
            network["labels"][label] = (*value).into();
        }
        let network = serde_json::from_value(network).unwrap();
        stack.apply(&Effect::EnsureNetwork { network }).await.unwrap();
    }
    let mut volume = stack.volume("data");
    volume
        .labels
        .extend([("a", "b"), ("com.docker.compose.volume", "data")].map(|(k, v)| (k.into(), v.into())));
    volume.driver_opts.extend([("type", "tmpfs"), ("device", "tmpfs")].map(|(k, v)| (k.into(), v.into())));
    stack.apply(&Effect::EnsureVolume { volume }).await.unwrap();
    for row in rows {
        let container = planned(stack, row);
        let made = stack.apply(&create(&container)).await;
        made.unwrap_or_else(|error| panic!("{}: {error}: {:?}", row.key, error.source));
    }
}

fn planned(stack: &Stack, row: &Row) -> Container {
    let mut container = stack.container(row.key, "");
    container.settings.entrypoint = None;
    container.settings.environment.clear();
    let mut made = serde_json::to_value(&container).unwrap();
    made["networks"] = json!({ format!("{}_default", stack.project): {} });
    for (part, said) in row.planned.as_object().unwrap() {
        match (said, made[part].as_object_mut()) {
            (Value::Object(said), Some(whole)) if part == "settings" => whole.extend(said.clone()),
            _ => made[part] = said.clone(),
        }
    }
    if made["settings"]["network_mode"] != Value::Null {
        made["networks"] = json!({});
    }
    // What of it an engine can be told is decided by the keys of the file.
    let joined = made["networks"].as_object().unwrap().iter();
    let keyed = joined.map(|(name, said)| (name.replace(&format!("{}_", stack.project), ""), said.clone()));
    made["settings"]["networks"] = keyed.collect::<Map<_, _>>().into();
    serde_json::from_value(made).unwrap()
}

/// What the engine says of something, without what has to differ.
fn seen(project: &str, kind: &str, name: &str) -> Value {
    let said = said_of(&[kind, "inspect", name]);
    let mut all: Vec<Value> = serde_json::from_str(&said).unwrap();
    normal(project, all.pop().unwrap_or_else(|| panic!("{kind} `{name}` is not there")))
}

fn said_of(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn normal(project: &str, mut seen: Value) -> Value {
    let id = seen["Id"].as_str().unwrap_or("no id").to_owned();
    if seen["Config"]["Hostname"].as_str().is_some_and(|name| !name.is_empty() && id.starts_with(name)) {
        seen["Config"]["Hostname"] = Value::Null;
    }
    let own = [
        "Id",
        "Created",
        "CreatedAt",
        "State",
        "LogPath",
        "ResolvConfPath",
        "HostnamePath",
        "HostsPath",
        "GraphDriver",
        // An engine gives each network without one its own subnet.
        "IPAM",
    ];
    let given = seen["IPAM"]["Config"][0]["IPRange"] != Value::Null;
    let labels = ["config-hash", "project.config_files", "project.working_dir", "depends_on", "version"];
    if let Some(seen) = seen.as_object_mut() {
        seen.retain(|key, _| !own.contains(&key.as_str()) || (key == "IPAM" && given));
    }
    let labels_of = if seen["Config"]["Labels"].is_null() { "/Labels" } else { "/Config/Labels" };
    if let Some(Value::Object(said)) = seen.pointer_mut(labels_of) {
        said.retain(|key, _| {
            let known = key.strip_prefix("com.docker.compose.").is_some_and(|key| labels.contains(&key));
            !known && !key.starts_with("seaworthy.")
        });
    }
    // Volumes without a name have an id for one.
    for mount in seen["Mounts"].as_array_mut().into_iter().flatten() {
        let unnamed = mount["Name"].as_str().is_some_and(|name| name.len() == 64);
        if unnamed {
            mount["Name"] = Value::Null;
        }
        // The engine puts a copy of an image's files where it likes.
        if unnamed || mount["Type"] == "image" {
            mount["Source"] = Value::Null;
        }
    }
    // One names another container, the other gives its id.
    let listed = said_of(&["ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}"]);
    let mut named: Vec<(&str, &str)> = listed.lines().filter_map(|line| line.split_once(' ')).collect();
    let short = id.get(..12).unwrap_or("no short id").to_owned();
    let (theirs, ours) = rows::subnets();
    named.extend([(project, "PROJECT"), (&short, "ID"), (&theirs, "SUBNET"), (&ours, "SUBNET")]);
    let (theirs, ours) = rows::prefixes();
    named.extend([(theirs.as_str(), "PREFIX"), (ours.as_str(), "PREFIX")]);
    pruned(&seen, &named).unwrap_or_default()
}

/// The same without what says nothing (an empty list is no list), lists whose order means nothing in order.
fn pruned(value: &Value, named: &[(&str, &str)]) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => {
            let text = named.iter().fold(text.clone(), |text, (name, word)| text.replace(name, word));
            // No policy is written in both ways, and is one.
            (!text.is_empty() && text != "no").then_some(Value::String(text))
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().filter_map(|item| pruned(item, named)).collect();
            items.sort_by_key(Value::to_string);
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(fields) => {
            let renamed =
                |key: &String| named.iter().fold(key.clone(), |key, (name, word)| key.replace(name, word));
            let fields = fields.iter().filter_map(|(key, value)| Some((renamed(key), pruned(value, named)?)));
            let fields: Map<String, Value> = fields.filter(|(key, _)| key != "NetworkID").collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        plain => Some(plain.clone()),
    }
}

fn differences(at: &str, theirs: &Value, ours: &Value) -> Vec<String> {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            let mut keys: Vec<&String> = theirs.keys().chain(ours.keys()).collect();
            keys.sort();
            keys.dedup();
            let of = |fields: &Map<String, Value>, key: &String| fields.get(key).cloned().unwrap_or_default();
            keys.into_iter()
                .flat_map(|key| differences(&format!("{at}/{key}"), &of(theirs, key), &of(ours, key)))
                .collect()
        }
        (theirs, ours) if theirs == ours => Vec::new(),
        (theirs, ours) => vec![format!("{at}: Compose has {theirs}, we have {ours}")],
    }
}
