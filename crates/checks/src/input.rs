//! What checks look at, and what one of them says it saw.

use std::collections::BTreeMap;

use diag::Place;
use plan::{Facts, SecretSeen};
use stack::{EngineKind, Materials, SecretName, Service, ServiceName, Shape, Text};

/// Everything a check may look at. Only `shape` is always there; a check that needs what is absent says nothing,
/// and [`not_evaluated`](crate::not_evaluated) names it.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The stack as it should be.
    pub shape: &'a Shape,
    /// Where each key stands: JSON pointer to place.
    pub places: &'a BTreeMap<String, Place>,
    /// The engine the stack would run on.
    pub engine: EngineKind,
    /// The bytes behind the shape's references. Values are compared, never said.
    pub materials: Option<&'a Materials>,
    /// The sealed store's secrets: there even where no engine answers.
    pub stored: Option<&'a BTreeMap<SecretName, SecretSeen>>,
    /// What a survey saw, when one was made.
    pub facts: Option<&'a Facts>,
}

/// One thing a check saw.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) service: Option<ServiceName>,
    /// JSON pointer of what is at fault.
    pub(crate) pointer: String,
    pub(crate) message: String,
    /// What tells this finding from another of the same check and service. Never a secret, never prose.
    pub(crate) evidence: String,
}

impl Seen {
    /// Something below `/services/SERVICE`.
    pub(crate) fn in_service(service: &ServiceName, below: &str, message: String, evidence: &str) -> Self {
        Self {
            service: Some(service.clone()),
            pointer: format!("/services/{}{below}", escape(service.as_str())),
            message,
            evidence: evidence.to_owned(),
        }
    }

    /// Something of the stack as a whole.
    pub(crate) fn in_stack(pointer: &str, message: String, evidence: &str) -> Self {
        Self { service: None, pointer: pointer.to_owned(), message, evidence: evidence.to_owned() }
    }
}

impl<'a> Input<'a> {
    /// Services with their names.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&'a ServiceName, &'a Service)> {
        self.shape.services.iter()
    }

    /// The place of `pointer`, or of the nearest thing around it.
    pub(crate) fn place(&self, pointer: &str) -> Option<Place> {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.places.get(pointer) {
                return Some(place.clone());
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }

    /// The value of a variable of a service, as [`Input::value`].
    pub(crate) fn value_of(&self, service: &Service, variable: &str) -> Option<String> {
        let text = service.environment.get(variable)?.as_ref()?;
        self.value(text).map(|value| value.text)
    }

    /// The value of a text where nothing in it is a secret of `[secret]`, whether it may be said or not.
    pub(crate) fn value(&self, text: &Text) -> Option<Value> {
        if let Some(literal) = text.as_literal() {
            return Some(Value { text: literal, held: false });
        }
        let held = |part: &stack::Part| match part {
            stack::Part::Held { id, .. } => self.materials?.held.get(id).cloned(),
            _ => None,
        };
        text.resolve(held).map(|text| Value { text, held: true })
    }
}

/// A value of the environment that no `[secret]` stands behind.
pub(crate) struct Value {
    pub(crate) text: String,
    /// It came from the shell, `.env` or an `env_file`: it may be compared and must not be said.
    pub(crate) held: bool,
}

/// Escapes one segment of a JSON pointer (RFC 6901).
pub(crate) fn escape(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}
