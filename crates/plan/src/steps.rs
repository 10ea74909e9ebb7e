//! Building the step list of a plan: one place that gives ids, order and undo, so that planners read as prose.

use crate::{Action, Effect, Step, StepId};

/// Collects steps in order; each comes after the one before it unless told otherwise.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    steps: Vec<Step>,
}

impl Steps {
    /// Adds a step that comes after all steps so far.
    pub(crate) fn add(&mut self, kind: &str, subject: &str, action: Action, because: &[String]) -> &mut Step {
        let id = self.free_id(kind, subject);
        let after = self.steps.last().map(|step| step.id.clone()).into_iter().collect();
        self.steps.push(Step {
            id,
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            after,
            action,
            because: because.to_vec(),
            undo: Vec::new(),
            impact: false,
            forgiving: false,
            destroys: None,
        });
        self.steps.last_mut().expect("a step was just pushed")
    }

    /// Adds something the engine does.
    pub(crate) fn engine(
        &mut self,
        kind: &str,
        subject: &str,
        effect: Effect,
        because: &[String],
    ) -> &mut Step {
        self.add(kind, subject, Action::Engine { effect }, because)
    }

    pub(crate) fn finish(self) -> Vec<Step> {
        self.steps
    }

    fn free_id(&self, kind: &str, subject: &str) -> StepId {
        let slug: String = format!("{kind}-{subject}")
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let taken = |id: &str| self.steps.iter().any(|step| step.id.0 == id);
        let mut id = slug.clone();
        let mut number = 2;
        while taken(&id) {
            id = format!("{slug}-{number}");
            number += 1;
        }
        StepId(id)
    }
}

impl Step {
    /// The same, taken back by these actions, in this order.
    pub(crate) fn undone_by(&mut self, undo: impl IntoIterator<Item = Action>) -> &mut Self {
        self.undo = undo.into_iter().collect();
        self
    }

    /// The same, taken back by one effect.
    pub(crate) fn undone_by_effect(&mut self, effect: Effect) -> &mut Self {
        self.undone_by([Action::Engine { effect }])
    }

    /// The same, and people may notice.
    pub(crate) fn with_impact(&mut self) -> &mut Self {
        self.impact = true;
        self
    }

    /// The same, as housekeeping.
    pub(crate) fn forgiving(&mut self) -> &mut Self {
        self.forgiving = true;
        self
    }

    /// The same, and it destroys this.
    pub(crate) fn destroying(&mut self, what: &str) -> &mut Self {
        self.destroys = Some(what.to_owned());
        self
    }
}
