//! What only people can do: asked for before anything is put in place, and not again while their word holds.

use std::time::Duration;

use stack::Shape;

use crate::{Action, Facts, Policy, Progress, Step, steps::Steps};

/// A step for each control of the shape that nobody has attested, or not lately; says which ones hold.
pub(crate) fn ask_people(shape: &Shape, facts: &Facts, policy: &Policy, steps: &mut Steps) -> Vec<String> {
    let mut held = Vec::new();
    for (name, control) in &shape.controls {
        let last = facts
            .attested
            .iter()
            .find(|attested| attested.control == *name && attested.instruction == control.instruction);
        match last.filter(|last| holds(control.every, last.at, policy.now)) {
            Some(last) => held.push(format!("{} attested `{name}` on {}", last.who, last.at.strftime("%F"))),
            None => {
                let because = match last {
                    None => "nobody has attested it".to_owned(),
                    Some(last) => {
                        format!("what {} attested on {} has lapsed", last.who, last.at.strftime("%F"))
                    }
                };
                let action = Action::Person {
                    control: name.clone(),
                    owner: control.owner.clone(),
                    instruction: control.instruction.clone(),
                    done_when: control.done_when.clone(),
                    holds: control.every,
                };
                steps.add("ask", name, action, &[because]);
            }
        }
    }
    held
}

/// Whether a person's word for this step was given in this run, and holds.
pub fn is_attested(step: &Step, progress: &Progress, now: jiff::Timestamp) -> bool {
    let Action::Person { holds: every, .. } = &step.action else { return false };
    progress.attested.get(&step.id).is_some_and(|at| holds(*every, *at, now))
}

fn holds(every: Option<Duration>, attested_at: jiff::Timestamp, now: jiff::Timestamp) -> bool {
    let Some(every) = every else { return true };
    // A lapse too far away to be told never comes.
    attested_at.checked_add(every).map_or(true, |until| now < until)
}
