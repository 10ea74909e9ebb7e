//! Variables into the values of a tree, and values to the types that some keys have.

use std::sync::OnceLock;

use diag::{Diagnostic, closest};

use super::{
    rules::Rules,
    template::{self, Fault},
};
use crate::{
    reading::Reading,
    string::Str,
    tree::{Node, Spot, Value},
    variables::Variables,
};

/// A type that a string becomes where it stands at certain keys.
#[derive(Clone, Copy)]
enum Cast {
    Int,
    Float,
    Bool,
}

const CASTS: &[(&str, Cast)] = &[
    ("services.*.cpu_count", Cast::Int),
    ("services.*.cpu_percent", Cast::Float),
    ("services.*.cpu_period", Cast::Int),
    ("services.*.cpu_quota", Cast::Int),
    ("services.*.cpu_rt_period", Cast::Int),
    ("services.*.cpu_rt_runtime", Cast::Int),
    ("services.*.cpus", Cast::Float),
    ("services.*.cpu_shares", Cast::Int),
    ("services.*.init", Cast::Bool),
    ("services.*.deploy.replicas", Cast::Int),
    ("services.*.deploy.update_config.parallelism", Cast::Int),
    ("services.*.deploy.update_config.max_failure_ratio", Cast::Float),
    ("services.*.deploy.rollback_config.parallelism", Cast::Int),
    ("services.*.deploy.rollback_config.max_failure_ratio", Cast::Float),
    ("services.*.deploy.restart_policy.max_attempts", Cast::Int),
    ("services.*.deploy.placement.max_replicas_per_node", Cast::Int),
    ("services.*.healthcheck.retries", Cast::Int),
    ("services.*.healthcheck.disable", Cast::Bool),
    ("services.*.oom_kill_disable", Cast::Bool),
    ("services.*.oom_score_adj", Cast::Int),
    ("services.*.pids_limit", Cast::Int),
    ("services.*.ports.[].target", Cast::Int),
    ("services.*.privileged", Cast::Bool),
    ("services.*.read_only", Cast::Bool),
    ("services.*.scale", Cast::Int),
    ("services.*.stdin_open", Cast::Bool),
    ("services.*.tty", Cast::Bool),
    ("services.*.ulimits.*", Cast::Int),
    ("services.*.ulimits.*.hard", Cast::Int),
    ("services.*.ulimits.*.soft", Cast::Int),
    ("services.*.volumes.[].read_only", Cast::Bool),
    ("services.*.volumes.[].volume.nocopy", Cast::Bool),
    ("networks.*.external", Cast::Bool),
    ("networks.*.internal", Cast::Bool),
    ("networks.*.attachable", Cast::Bool),
    ("networks.*.enable_ipv4", Cast::Bool),
    ("networks.*.enable_ipv6", Cast::Bool),
    ("volumes.*.external", Cast::Bool),
    ("secrets.*.external", Cast::Bool),
    ("configs.*.external", Cast::Bool),
];

/// Interpolates every value of a file; keys stay as they are.
pub(crate) fn interpolate(reading: &Reading<'_>, variables: &Variables, file: &mut Node) {
    static RULES: OnceLock<Rules<Cast>> = OnceLock::new();
    walk(reading, variables, file, Some(RULES.get_or_init(|| Rules::of(CASTS))));
}

fn walk(reading: &Reading<'_>, variables: &Variables, node: &mut Node, rules: Option<&Rules<Cast>>) {
    match &mut node.value {
        Value::Text(text) => {
            if text.contains('$') {
                match filled(reading, variables, node.at, text) {
                    Some(filled) => {
                        reading.hide(node.at, &filled);
                        *text = filled;
                    }
                    // What was written stays, and is not looked at a second time: the reason was said.
                    None => return,
                }
            }
            let Some(cast) = rules.and_then(|rules| rules.rule) else { return };
            let at = node.at;
            match casted(cast, text) {
                Some(value) => {
                    if let (Value::Bool(_), "y" | "yes" | "on" | "n" | "no" | "off") =
                        (&value, text.to_ascii_lowercase().as_str())
                    {
                        let said = Diagnostic::note("old-boolean", "this is a string to YAML 1.2");
                        reading.say(at, said.hint("write `true` or `false`"));
                    }
                    node.value = value;
                }
                None => wrong(reading, at, text, cast),
            }
        }
        Value::List(list) => {
            let below = rules.and_then(|rules| rules.step("[]"));
            list.iter_mut().for_each(|item| walk(reading, variables, item, below));
        }
        Value::Map(map) => {
            for (key, entry) in map {
                walk(reading, variables, &mut entry.node, rules.and_then(|rules| rules.step(key)));
            }
        }
        _ => {}
    }
}

fn casted(cast: Cast, text: &str) -> Option<Value> {
    match cast {
        Cast::Int => go_int(text).map(Value::Int),
        Cast::Float => go_float(text).map(Value::Float),
        Cast::Bool => boolean(text).map(Value::Bool),
    }
}

fn wrong(reading: &Reading<'_>, at: Spot, text: &Str, cast: Cast) {
    let wanted = match cast {
        Cast::Int => "a whole number",
        Cast::Float => "a number",
        Cast::Bool => "true or false",
    };
    let message = format!("this must be {wanted}, and is `{}`", text.shown());
    reading.error(at, "wrong-type", message);
}

/// A whole number as Go reads one.
pub(crate) fn go_int(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// A number as Go reads one; Rust differs in the names of what is no number, and in underscores, which neither takes.
pub(crate) fn go_float(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// A boolean in the words of YAML 1.1.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "y" | "yes" | "on" => Some(true),
        "false" | "n" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// One string with its variables filled in; what is wrong with it is said.
pub(crate) fn filled(reading: &Reading<'_>, variables: &Variables, at: Spot, text: &str) -> Option<Str> {
    let lookup = |name: &str| variables.look(name);
    let mut unset = Vec::new();
    let filled = template::substitute(text, &lookup, &mut |name| unset.push(name.to_owned()));
    for name in unset {
        let message = format!("the variable `{name}` is not set, and becomes an empty string");
        let said = Diagnostic::warning("unset-variable", message);
        reading.say(at, said.hint(format!("set it, or write `${{{name}:-default}}`")));
    }
    match filled {
        Ok(filled) => Some(filled),
        Err(Fault::Invalid) => {
            let said = Diagnostic::error(
                "bad-interpolation",
                format!("`{text}` cannot be interpolated: {}", why(text)),
            );
            reading.say(at, said.hint("a dollar sign that stands for itself is written `$$`"));
            None
        }
        Err(Fault::Missing { name, message }) => {
            let mut said =
                Diagnostic::error("required-variable", format!("the required variable `{name}` is not set"));
            if !message.is_empty() {
                said = said.cause(message.shown());
            }
            let near = closest(&name, reading.request.environment.keys().map(String::as_str));
            let said = match near {
                Some(near) if near != name => said.hint(format!("`{near}` is set: is that meant?")),
                _ => said.hint(format!("set `{name}` in the shell, in `.env`, or with --env-file")),
            };
            reading.say(at, said);
            None
        }
    }
}

/// What is most likely wrong with a template.
fn why(text: &str) -> &'static str {
    let opened = text.find("${").map_or("", |open| &text[open + 2..]);
    if !opened.contains('}') {
        "the brace is never closed"
    } else if opened.starts_with('}') {
        "no variable is named"
    } else if opened[..opened.find('}').unwrap_or_default()].contains('\n') {
        "a default holds no line break"
    } else {
        "a name of letters, digits and `_` is followed by `}`, `:-`, `-`, `:?`, `?`, `:+` or `+`"
    }
}
