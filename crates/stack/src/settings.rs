//! `seaworthy.toml`: read table by table, so that one mistake does not hide the next.

use std::ops::Range;

use diag::{Diagnostic, closest};
use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

mod apply;
mod probe;
mod raw;
mod secret;
mod state;

pub use raw::schema;
use raw::{RawBackup, RawControl, RawDrill, RawSecret, RawService, RawShape, RawStack, RawState};

use crate::{
    load::Found,
    reading::{Reading, not_a_file},
    tree::Spot,
    variables::Variables,
};

/// The file's name, beside the Compose file.
const FILE: &str = "seaworthy.toml";
const TABLES: [&str; 8] = ["stack", "shape", "secret", "service", "state", "backup", "drill", "control"];
/// Tables that the format has and we refuse for now.
const LATER_TABLES: [&str; 4] = ["route", "migrate", "rule", "watch"];
/// Keys and words inside tables that the format has and we refuse for now.
const LATER: [&str; 18] = [
    "overlap",
    "order",
    "hosts",
    "rotate",
    "mysql",
    "redis",
    "volume",
    "nats",
    "exclude",
    "canary",
    "schedule",
    "systemd",
    "swarm",
    "kubernetes",
    "start-first",
    "hold",
    "limits",
    "assertions",
];

/// A named entry of a table, and where its name stands.
pub(crate) struct Named<T> {
    pub(crate) name: String,
    pub(crate) at: Spot,
    pub(crate) value: T,
}

/// What the file says.
#[derive(Default)]
pub(crate) struct Settings {
    text: String,
    file: u16,
    /// The text is no TOML: what is missing may stand in the part that was not understood.
    broken: bool,
    stack: RawStack,
    shapes: Vec<Named<RawShape>>,
    secrets: Vec<Named<RawSecret>>,
    services: Vec<Named<RawService>>,
    states: Vec<Named<RawState>>,
    backup: RawBackup,
    drill: RawDrill,
    controls: Vec<Named<RawControl>>,
}

/// Reads the file; without one everything has its default. `None`: the caller has to look first.
pub(crate) fn read(reading: &Reading<'_>) -> Option<Settings> {
    let bytes = match reading.find(&reading.absolute(FILE))? {
        Found::File { bytes, .. } => bytes,
        Found::Missing => return Some(Settings::default()),
        found => {
            reading.say(Spot::default(), not_a_file(found, FILE, "settings file"));
            return Some(Settings::default());
        }
    };
    let file = reading.source(FILE);
    let Ok(text) = std::str::from_utf8(bytes) else {
        let said = Diagnostic::error("not-text", "the file is not text");
        reading.say(
            Spot { file, line: 1, column: 1 },
            said.hint("is this really a settings file? it must be UTF-8"),
        );
        return Some(Settings::default());
    };
    let mut settings = Settings { text: text.to_owned(), file, ..Settings::default() };
    let (table, errors) = DeTable::parse_recoverable(text);
    settings.broken = !errors.is_empty();
    // What follows the first is mostly made of it.
    if let Some(error) = errors.first() {
        let said = Diagnostic::error("bad-toml", "this is not TOML").cause(error.message().to_owned());
        reading.say(settings.spot(error.span()), said);
    }
    let mut entries: Vec<_> = table.into_inner().into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        settings.table(reading, &key, value);
    }
    Some(settings)
}

impl Settings {
    fn table(
        &mut self,
        reading: &Reading<'_>,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: Spanned<DeValue<'_>>,
    ) {
        let name: &str = key.get_ref();
        match name {
            "stack" => self.stack = self.decode(reading, value).unwrap_or_default(),
            "backup" => self.backup = self.decode(reading, value).unwrap_or_default(),
            "drill" => self.drill = self.decode(reading, value).unwrap_or_default(),
            "shape" => self.shapes = self.entries(reading, name, value, |value| value),
            "secret" => self.secrets = self.entries(reading, name, value, typed),
            "service" => self.services = self.entries(reading, name, value, one_probe),
            "state" => self.states = self.entries(reading, name, value, |value| value),
            "control" => self.controls = self.entries(reading, name, value, |value| value),
            later if LATER_TABLES.contains(&later) => {
                let said =
                    Diagnostic::error("not-handled-yet", format!("the table `{later}` is not handled yet"));
                reading.say(self.spot(Some(key.span())), said.hint("take it out"));
            }
            _ if self.broken => {}
            unknown => {
                let said = Diagnostic::error("unknown-key", format!("`{unknown}` is not a table of {FILE}"));
                let near = closest(unknown, TABLES.into_iter().chain(LATER_TABLES));
                reading.say(
                    self.spot(Some(key.span())),
                    match near {
                        Some(near) => said.hint(format!("did you mean `{near}`?")),
                        None => said.hint(format!("its tables are {}", TABLES.join(", "))),
                    },
                );
            }
        }
    }

    /// The entries of a table of tables, in the order they were written.
    fn entries<'i, T: DeserializeOwned>(
        &self,
        reading: &Reading<'_>,
        table: &str,
        value: Spanned<DeValue<'i>>,
        prepare: fn(Spanned<DeValue<'i>>) -> Spanned<DeValue<'i>>,
    ) -> Vec<Named<T>> {
        let at = self.spot(Some(value.span()));
        let DeValue::Table(table) = value.into_inner() else {
            reading.error(at, "wrong-type", format!("`{table}` must be a table"));
            return Vec::new();
        };
        let mut entries: Vec<_> = table.into_iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
            .into_iter()
            .filter_map(|(key, value)| {
                let at = self.spot(Some(key.span()));
                let value = self.decode(reading, prepare(value))?;
                Some(Named { name: key.into_inner().into_owned(), at, value })
            })
            .collect()
    }

    fn decode<T: DeserializeOwned>(&self, reading: &Reading<'_>, value: Spanned<DeValue<'_>>) -> Option<T> {
        let span = value.span();
        T::deserialize(ValueDeserializer::from(value))
            .map_err(|error| {
                let at = self.spot(error.span().or(Some(span)));
                reading.say(at, refused(error.message()));
            })
            .ok()
    }

    /// The place of a byte range of the file.
    fn spot(&self, span: Option<Range<usize>>) -> Spot {
        let start = span.map_or(0, |span| span.start).min(self.text.len());
        let before = self.text.get(..start).unwrap_or_default();
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        Spot { file: self.file, line: number(before.matches('\n').count() + 1), column: number(column) }
    }

    /// The shape that was asked for, else the first declared, else the default one.
    pub(crate) fn shape(&self, reading: &Reading<'_>) -> Named<RawShape> {
        let asked = reading.request.shape.as_deref();
        let chosen = match asked {
            Some(asked) => self.shapes.iter().find(|shape| shape.name == asked),
            None => self.shapes.first(),
        };
        if let Some(shape) = chosen {
            if !shape.value.hosts.is_empty() {
                let said = Diagnostic::error("not-handled-yet", "`hosts` of a shape is not handled yet");
                reading.say(shape.at, said.hint("leave it empty: the stack runs on this machine"));
            }
            return Named { name: shape.name.clone(), at: shape.at, value: shape.value.clone() };
        }
        let default = |asked: &&str| self.shapes.is_empty() && *asked == "default";
        if let Some(asked) = asked.filter(|asked| !self.broken && !default(asked)) {
            let said = Diagnostic::error("undeclared-shape", format!("there is no shape `{asked}`"));
            let names = self.shapes();
            reading.say(
                Spot::default(),
                match closest(asked, names.iter().map(String::as_str)) {
                    Some(near) => said.hint(format!("did you mean `{near}`?")),
                    None if names.is_empty() => said.hint(format!("declare it in {FILE}: [shape.{asked}]")),
                    None => said.hint(format!("declared are {}", names.join(", "))),
                },
            );
        }
        Named { name: asked.unwrap_or("default").to_owned(), at: Spot::default(), value: RawShape::default() }
    }

    /// Names of the declared shapes, in order.
    pub(crate) fn shapes(&self) -> Vec<String> {
        self.shapes.iter().map(|shape| shape.name.clone()).collect()
    }

    /// `[stack] name`.
    pub(crate) fn name(&self) -> Option<&str> {
        self.stack.name.as_deref()
    }

    /// Makes `${NAME}` of each declared secret a reference, whatever the environment says.
    pub(crate) fn declare_secrets(&self, reading: &Reading<'_>, variables: &mut Variables) {
        for secret in &self.secrets {
            if variables.get(&secret.name).is_some() {
                let message = format!("the environment sets `{}`, and that is not used", secret.name);
                let said = Diagnostic::warning("secret-shadowed", message);
                let said =
                    said.cause("a secret of `[secret]` is never overridden by the shell or an env file");
                reading.say(secret.at, said.hint("unset the variable, or rename one of the two"));
            }
        }
        variables.declare(self.secrets.iter().map(|secret| secret.name.clone()));
    }
}

/// `NAME = "type"` as the table it stands for.
fn typed(value: Spanned<DeValue<'_>>) -> Spanned<DeValue<'_>> {
    if !value.get_ref().is_str() {
        return value;
    }
    let span = value.span();
    let mut table = DeTable::new();
    table.insert(Spanned::new(span.clone(), "type".into()), value);
    Spanned::new(span, DeValue::Table(table))
}

/// One probe as the list it stands for.
fn one_probe(mut value: Spanned<DeValue<'_>>) -> Spanned<DeValue<'_>> {
    if let DeValue::Table(table) = value.get_mut()
        && let Some(probe) = table.get_mut("probe")
        && probe.get_ref().is_table()
    {
        let span = probe.span();
        let one = std::mem::replace(probe, Spanned::new(span.clone(), DeValue::Boolean(false)));
        let mut list = toml::de::DeArray::new();
        list.push(one);
        *probe = Spanned::new(span, DeValue::Array(list));
    }
    value
}

/// What a decoding error means, in our words: the decoder names the key and those it knows in backticks.
fn refused(message: &str) -> Diagnostic {
    let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    match words.split_first() {
        Some((word, _)) if unknown && LATER.contains(word) => {
            Diagnostic::error("not-handled-yet", format!("`{word}` is not handled yet")).hint("take it out")
        }
        Some((word, known)) if unknown => {
            let (id, what) = match message.starts_with("unknown field") {
                true => ("unknown-key", "a key of this table"),
                false => ("unknown-word", "a word that can stand here"),
            };
            let said = Diagnostic::error(id, format!("`{word}` is not {what}"));
            match closest(word, known.iter().copied()) {
                Some(near) => said.hint(format!("did you mean `{near}`?")),
                None => said.hint(format!("known are {}", known.join(", "))),
            }
        }
        _ if message.starts_with("missing field") => {
            let key = words.first().copied().unwrap_or_default();
            Diagnostic::error("missing-key", format!("`{key}` is missing here"))
        }
        _ => Diagnostic::error(
            "wrong-type",
            message.lines().next().unwrap_or("this has the wrong type").to_owned(),
        ),
    }
}
