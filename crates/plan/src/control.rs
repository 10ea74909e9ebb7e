//! What only people can do: asked for before anything is put in place, and not again while their word holds.

use stack::{Control, Shape};

use crate::{Action, Attested, Facts, Policy, steps::Steps};

/// A step for each control of the shape that nobody has attested, or not lately; says which ones hold.
pub(crate) fn ask_people(shape: &Shape, facts: &Facts, policy: &Policy, steps: &mut Steps) -> Vec<String> {
    let mut held = Vec::new();
    for (name, control) in &shape.controls {
        let last = facts
            .attested
            .iter()
            .find(|attested| attested.control == *name && attested.instruction == control.instruction);
        match last.filter(|last| holds(control, last, policy.now)) {
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
                };
                steps.add("ask", name, action, &[because]);
            }
        }
    }
    held
}

fn holds(control: &Control, last: &Attested, now: jiff::Timestamp) -> bool {
    let Some(every) = control.every else { return true };
    // A lapse too far away to be told never comes.
    last.at.checked_add(every).map_or(true, |until| now < until)
}
