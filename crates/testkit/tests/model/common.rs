//! The smallest loop that follows a plan: what every test here needs.

use plan::{Entry, Facts, Next, Outcome, Output, Plan, Policy, Progress, Step};
use testkit::{
    ModelHost, Refusal,
    blog::{blog, machine, policy},
};

/// Plans from what the machine looks like now.
pub(crate) fn planned(
    host: &ModelHost,
    plan: impl FnOnce(&Facts, &Policy) -> Result<Plan, diag::Stop>,
) -> Plan {
    let facts = host.observe();
    plan(&facts, &policy(&facts)).expect("it can be planned")
}

/// Follows a plan to its end, from wherever its journal stands.
pub(crate) fn follow(
    host: &mut ModelHost,
    plan: &Plan,
    journal: &mut Vec<Entry>,
) -> Result<Outcome, Refusal> {
    host.turn_to(&plan.project);
    let at = plan.made_at;
    loop {
        let progress = Progress::fold(plan, journal.iter()).expect("the loop writes no impossible entry");
        match progress.next(plan) {
            Next::Over => return Ok(progress.outcome.expect("it is over")),
            Next::End(outcome) => journal.push(Entry::Ended { at, outcome }),
            Next::Do(step) => {
                let id = step.id.clone();
                journal.push(Entry::Started { step: id.clone(), at });
                let entry = match host.act(step, &step.action, journal) {
                    Ok(output) => Entry::Succeeded { step: id, at, output },
                    Err(Refusal::Failed(because)) if step.forgiving => {
                        Entry::Succeeded { step: id, at, output: Output::Left { because } }
                    }
                    Err(Refusal::Failed(because)) => {
                        Entry::Failed { step: id, at, because: vec![because], hint: None }
                    }
                    Err(Refusal::Waiting(instruction)) => {
                        journal.push(Entry::Waiting { step: id, at, instruction: instruction.clone() });
                        return Err(Refusal::Waiting(instruction));
                    }
                    Err(other) => return Err(other),
                };
                journal.push(entry);
            }
            Next::TakeBack(step) => take_back(host, step, at, journal)?,
        }
    }
}

fn take_back(
    host: &mut ModelHost,
    step: &Step,
    at: jiff::Timestamp,
    journal: &mut Vec<Entry>,
) -> Result<(), Refusal> {
    let id = step.id.clone();
    journal.push(Entry::Undoing { step: id.clone(), at });
    for action in &step.undo {
        match host.act(step, action, journal) {
            Ok(_) => {}
            Err(Refusal::Failed(because)) => {
                journal.push(Entry::UndoFailed {
                    step: id.clone(),
                    at,
                    because: vec![because.clone()],
                    hint: None,
                });
                let (because, undo_error) = (Vec::new(), vec![because]);
                journal.push(Entry::Ended { at, outcome: Outcome::Stuck { step: id, because, undo_error } });
                return Ok(());
            }
            Err(other) => return Err(other),
        }
    }
    journal.push(Entry::Undone { step: id, at });
    Ok(())
}

/// Follows a plan that nothing interrupts.
pub(crate) fn run(host: &mut ModelHost, plan: &Plan) -> Outcome {
    follow(host, plan, &mut Vec::new()).expect("nothing interrupts it")
}

/// The stack bootstrapped and deployed, with three posts written.
pub(crate) fn running() -> ModelHost {
    let mut host = machine();
    let shape = blog(1);
    let bootstrap = planned(&host, |facts, policy| plan::bootstrap(&shape, &[], facts, policy));
    assert_eq!(run(&mut host, &bootstrap), Outcome::Applied);
    let deploy = planned(&host, |facts, policy| plan::deploy(&shape, facts, policy));
    assert_eq!(run(&mut host, &deploy), Outcome::Applied);
    host.write_rows("blog-db-1", "posts", 3);
    host
}
