//! What becomes of a run that was interrupted, once a verb is typed.

use stack::Shape;

use crate::{Action, Interrupted, Outcome, Plan, Progress, Verb, set::SetId};

/// What was typed while a run had not ended.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The verb.
    pub verb: Verb,
    /// The set it reads, where it reads one.
    pub set: Option<&'a SetId>,
    /// The shape it is about.
    pub shape: &'a Shape,
    /// The very plan it is to carry out, where one was given.
    pub planned: Option<&'a Plan>,
}

/// Why an interrupted run is taken back before anything else is done; `None`: it goes on.
///
/// Proven but for housekeeping it is finished, whatever is asked for now. Asked for again, and still wanted, it goes on
/// by its plan's own policy.
pub fn unwanted(plan: &Plan, progress: &Progress, asked: &Asked<'_>) -> Option<String> {
    if progress.unwinding.is_some() || progress.is_proven(plan) {
        return None;
    }
    if plan.verb != asked.verb {
        return Some(format!("`{}` was asked for while `{}` had not ended", asked.verb, plan.verb));
    }
    if asked.planned.is_some_and(|planned| planned != plan) {
        return Some("another plan was given while it had not ended".to_owned());
    }
    if let Some(set) = asked.set.filter(|set| plan.set.as_ref() != Some(*set)) {
        return Some(format!("set {set} was asked for while another one was not done with"));
    }
    let changed = planned_shape(plan).is_some_and(|planned| planned != asked.shape);
    changed.then(|| "the files say something else now than when it was planned".to_owned())
}

/// Whether what was taken up, and came to this end, is what was asked for: some verbs make something new every time,
/// and a plan that was given is carried out once.
pub fn is_what_was_asked(plan: &Plan, outcome: &Outcome, asked: &Asked<'_>) -> bool {
    let new_each_time = matches!(asked.verb, Verb::Restore | Verb::Drill) || asked.planned.is_some();
    match outcome {
        Outcome::Stuck { .. } => true,
        Outcome::Applied => plan.verb == asked.verb && new_each_time,
        Outcome::Undone { .. } => false,
    }
}

/// Why a run that was begun before is taken back when it is carried on: what it held went with whoever held it.
pub fn lapsed(plan: &Plan, progress: &Progress) -> Option<String> {
    // Housekeeping needs nothing that a run holds: what was proven before it stays.
    let untouched = progress.is_fresh() || progress.waiting.is_some() || progress.is_proven(plan);
    let unwinds = plan.interrupted == Interrupted::Unwinds && progress.unwinding.is_none();
    (!untouched && unwinds).then(|| "the run was interrupted, and what it held is gone".to_owned())
}

/// True for a restore under the stack's own names that has not ended: the volumes that are there are its own. It goes
/// on, or is taken back and begun again in the same place.
pub fn is_restoring_in_place(plan: &Plan, progress: &Progress) -> bool {
    plan.verb == Verb::Restore && plan.project == plan.stack && progress.outcome.is_none()
}

/// The shape that a plan rolls out, where it does.
pub fn planned_shape(plan: &Plan) -> Option<&Shape> {
    plan.steps.iter().find_map(|step| match &step.action {
        Action::WriteRelease { shape, .. } => Some(shape.as_ref()),
        _ => None,
    })
}
