//! A plan on paper: read by people, approved, carried out later, and only while it is still what would be done.
//!
//! Planners are pure: made again from the same seed, a plan differs where something that mattered to it does, and
//! nowhere else. Nobody keeps a list of what mattered.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Diagnostic, Exit, Stop};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stack::EngineKind;

use crate::{Facts, Mark, Plan, Policy, Seed, Step, StepId, Verb, lint};

/// The version string of a plan file.
pub const SAVED_SCHEMA: &str = "seaworthy.plan-file/1";

/// So many differences of one step are told: more say no more.
const TOLD_OF_A_STEP: usize = 3;

/// A plan file: `seaworthy plan VERB --out FILE`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// `seaworthy.plan-file/1`.
    pub schema: String,
    /// Where it was planned.
    pub on: PlannedOn,
    /// What its names come from.
    pub seed: Seed,
    /// It.
    pub plan: Plan,
}

/// The machine a plan was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedOn {
    /// Host name.
    pub host: String,
    /// Which engine.
    pub engine: EngineKind,
    /// Version of its API, where it has one.
    pub api: Option<String>,
    /// The state directory, absolute.
    pub state_dir: String,
}

impl SavedPlan {
    /// A plan that was made from these.
    pub fn new(plan: Plan, facts: &Facts, policy: &Policy) -> Self {
        let on = PlannedOn::seen(facts, policy);
        Self { schema: SAVED_SCHEMA.to_owned(), on, seed: policy.seed, plan }
    }

    /// The plan in the file of this name.
    ///
    /// # Errors
    /// When it is no plan file, one of a version that is not known, or holds a plan that is not sound.
    pub fn read(name: &str, text: &[u8]) -> Result<Self, Box<Diagnostic>> {
        let not_one = |cause: String| {
            let said = Diagnostic::error("no-plan-file", format!("`{name}` is no plan file")).cause(cause);
            Box::new(said.hint("seaworthy plan VERB --out FILE writes one"))
        };
        let value: Value = serde_json::from_slice(text).map_err(|err| not_one(err.to_string()))?;
        match value.get("schema").and_then(Value::as_str) {
            Some(SAVED_SCHEMA) => {}
            Some(other) => return Err(not_one(format!("its schema is `{other}`, not `{SAVED_SCHEMA}`"))),
            None => return Err(not_one("it has no `schema`".to_owned())),
        }
        let saved: Self = serde_json::from_value(value).map_err(|err| not_one(err.to_string()))?;
        let wrong = lint(&saved.plan);
        if !wrong.is_empty() {
            let said = Diagnostic::error("unsound-plan", format!("the plan in `{name}` is not sound"));
            return Err(Box::new(wrong.into_iter().fold(said, Diagnostic::cause)));
        }
        Ok(saved)
    }

    /// How another one differs from it, a sentence each: what was, what is. What both were marked with, and when, is no
    /// difference.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut differs = self.on.differences(&other.on);
        let (mine, theirs) = (Mark::new(self.seed).0, Mark::new(other.seed).0);
        let marked_as_mine = as_value(&other.plan).to_string().replace(&theirs, &mine);
        let mut plan: Plan = serde_json::from_str(&marked_as_mine).expect("one name in the place of another");
        plan.made_at = self.plan.made_at;
        differs.extend(differences(&self.plan, &plan));
        differs
    }

    /// Refuses to carry it out as another verb.
    ///
    /// # Errors
    /// When it is one of another verb.
    pub fn refuse_as(&self, verb: Verb) -> Result<(), Stop> {
        let planned = self.plan.verb;
        if planned == verb {
            return Ok(());
        }
        let message = format!("the plan file is one of `{planned}`, and `{verb}` was typed");
        Err(Stop::usage(
            Diagnostic::error("other-verb", message).hint(format!("seaworthy {planned} --plan FILE")),
        ))
    }

    /// Refuses it where `now`, planned again from the same seed, is another plan, or here is another place.
    ///
    /// # Errors
    /// When it is stale: everything that differs is a cause.
    pub fn refuse_if_stale(&self, now: &Plan, facts: &Facts, policy: &Policy) -> Result<(), Stop> {
        let mut differs = self.on.differences(&PlannedOn::seen(facts, policy));
        differs.extend(differences(&self.plan, now));
        if differs.is_empty() {
            return Ok(());
        }
        let made = self.plan.made_at.strftime("%F %T UTC");
        let message = format!("what was planned at {made} is not what would be done now");
        let said = Diagnostic::error("stale-plan", message)
            .hint(format!("read it and plan again: seaworthy plan {} --out FILE", self.plan.verb));
        Err(Stop::new(Exit::Stale, differs.into_iter().fold(said, Diagnostic::cause)))
    }
}

impl PlannedOn {
    fn seen(facts: &Facts, policy: &Policy) -> Self {
        Self {
            host: facts.host.name.clone(),
            engine: facts.host.engine,
            api: facts.host.api.clone(),
            state_dir: policy.state_dir.clone(),
        }
    }

    fn differences(&self, here: &Self) -> Vec<String> {
        let unknown = || "none".to_owned();
        let rows = [
            ("host", self.host.clone(), here.host.clone()),
            ("engine", self.engine.as_str().to_owned(), here.engine.as_str().to_owned()),
            (
                "API of the engine",
                self.api.clone().unwrap_or_else(unknown),
                here.api.clone().unwrap_or_else(unknown),
            ),
            ("state directory", self.state_dir.clone(), here.state_dir.clone()),
        ];
        let differs = rows.into_iter().filter(|(_, planned, here)| planned != here);
        differs.map(|(what, planned, here)| format!("the {what} was `{planned}`, and is `{here}`")).collect()
    }
}

/// How two plans differ, a sentence each; none: they are the same. Names that come from the seed are no difference where
/// the seed is the same.
fn differences(planned: &Plan, now: &Plan) -> Vec<String> {
    let mut said = Vec::new();
    if planned.tool != now.tool {
        said.push(format!("it was planned by version {}, and this is {}", planned.tool, now.tool));
    }
    let number = |release: Option<u64>| release.map_or("none".to_owned(), |number| number.to_string());
    let heads = [
        ("verb", planned.verb.to_string(), now.verb.to_string()),
        ("stack", planned.stack.to_string(), now.stack.to_string()),
        ("project", planned.project.to_string(), now.project.to_string()),
        ("shape", planned.shape.clone(), now.shape.clone()),
        ("live release", number(planned.from), number(now.from)),
        ("new release", number(planned.release), number(now.release)),
    ];
    let heads = heads.into_iter().filter(|(_, planned, now)| planned != now);
    said.extend(heads.map(|(what, planned, now)| format!("the {what} was `{planned}`, and is `{now}`")));
    if now.is_empty() && !planned.is_empty() {
        said.push("nothing would be done".to_owned());
        return said;
    }
    let before: BTreeMap<&StepId, &Step> = planned.steps.iter().map(|step| (&step.id, step)).collect();
    let after: BTreeSet<&StepId> = now.steps.iter().map(|step| &step.id).collect();
    for step in planned.steps.iter().filter(|step| !after.contains(&step.id)) {
        said.push(format!("`{}` would not be done any more", step.id));
    }
    let mut follows = Vec::new();
    for step in &now.steps {
        match before.get(&step.id) {
            None => said.push(format!("`{}` would be done too: {}", step.id, step.because.join("; "))),
            Some(planned) => match step_difference(planned, step) {
                Some((line, false)) => said.push(line),
                Some((line, true)) => follows.push(line),
                None => {}
            },
        }
    }
    if said.is_empty() {
        said = follows;
    }
    if said.is_empty() && planned != now {
        let (planned, now) = (as_value(planned), as_value(now));
        let mut paths = Vec::new();
        paths_that_differ(&planned, &now, String::new(), &mut paths);
        said.extend(paths.into_iter().take(TOLD_OF_A_STEP).map(|path| format!("`{path}` differs")));
    }
    said
}

/// How a step differs, and whether that only follows from others.
fn step_difference(planned: &Step, now: &Step) -> Option<(String, bool)> {
    let mut paths = Vec::new();
    paths_that_differ(&as_value(planned), &as_value(now), String::new(), &mut paths);
    let (mut follow, mut lead): (Vec<_>, Vec<_>) =
        paths.into_iter().map(short).partition(|path| follows_from_others(path));
    let follows = lead.is_empty();
    let paths = if follows { &mut follow } else { &mut lead };
    paths.dedup();
    let told = paths.iter().take(TOLD_OF_A_STEP).map(String::as_str).collect::<Vec<_>>().join("`, `");
    let line = match paths.len() {
        0 => return None,
        all if all > TOLD_OF_A_STEP => {
            format!("`{}` differs in `{told}` and {} more", now.id, all - TOLD_OF_A_STEP)
        }
        _ => format!("`{}` differs in `{told}`", now.id),
    };
    Some((line, follows))
}

/// A path as a person reads it: without what every step has, and no deeper than a list.
fn short(path: String) -> String {
    let path = path.strip_prefix("action.").unwrap_or(&path);
    let path = path.strip_prefix("effect.").unwrap_or(path);
    let parts = path.split('.').take_while(|part| part.parse::<usize>().is_err());
    parts.collect::<Vec<_>>().join(".")
}

/// Hashes, labels, causes and order are others because something else is.
fn follows_from_others(path: &str) -> bool {
    ["identity", "config-hash", "seaworthy.release"].iter().any(|end| path.ends_with(end))
        || ["compose.", "because", "after", "undo"].iter().any(|start| path.starts_with(start))
}

fn as_value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).expect("a plan holds only what JSON can say")
}

/// Where two documents differ: the deepest places that both have.
fn paths_that_differ(one: &Value, other: &Value, at: String, paths: &mut Vec<String>) {
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
            for key in keys {
                let nothing = Value::Null;
                let (one, other) = (one.get(key).unwrap_or(&nothing), other.get(key).unwrap_or(&nothing));
                paths_that_differ(one, other, below(key), paths);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                paths_that_differ(one, other, below(&index.to_string()), paths);
            }
        }
        _ if one == other => {}
        _ => paths.push(at),
    }
}
