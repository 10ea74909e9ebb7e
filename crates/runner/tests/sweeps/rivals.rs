//! Somebody else makes a thing of the same name between the survey and the step: it stays theirs, whatever becomes of
//! the run.

use std::collections::BTreeMap;

use plan::{Action, Effect, Outcome, Step};
use testkit::{Fault, ModelHost};

use crate::{
    looks::{difference, may_stay, none_of},
    scene::Scene,
    subjects::{Subject, subjects},
};

/// Who else makes it.
#[derive(Debug, Clone, Copy)]
enum Rival {
    /// A person, with `docker compose up`: it carries the stack's labels and none of ours.
    Person,
    /// Another stack.
    OtherStack,
}

/// The step's effect as a rival makes it; `None` where the step makes nothing.
fn rivals(step: &Step, rival: Rival) -> Option<Effect> {
    let Action::Engine { effect } = &step.action else { return None };
    let mut effect = effect.clone();
    match &mut effect {
        Effect::Create { container } => {
            relabel(&mut container.labels, rival);
            if let Rival::OtherStack = rival {
                container.stack = "shop".into();
            }
        }
        Effect::EnsureNetwork { network } => relabel(&mut network.labels, rival),
        Effect::EnsureVolume { volume } | Effect::MakeVolume { volume } => relabel(&mut volume.labels, rival),
        _ => return None,
    }
    Some(match effect {
        Effect::MakeVolume { volume } => Effect::EnsureVolume { volume },
        other => other,
    })
}

fn relabel(labels: &mut BTreeMap<String, String>, rival: Rival) {
    labels.retain(|label, _| !label.starts_with("seaworthy."));
    if let Rival::OtherStack = rival {
        labels.insert("com.docker.compose.project".to_owned(), "shop".to_owned());
    }
}

/// The machine on which a rival has made what this step would make, with what that thing itself needs; `None` where
/// the step makes nothing.
fn beaten_to_it(subject: &Subject, at: usize, rival: Rival) -> Option<ModelHost> {
    let mut host = subject.host.clone();
    let made = rivals(&subject.plan.steps[at], rival)?;
    if matches!(made, Effect::Create { .. }) {
        for step in &subject.plan.steps[..at] {
            let Some(needed) = rivals(step, rival).filter(|made| !matches!(made, Effect::Create { .. }))
            else {
                continue;
            };
            host.apply(&needed).expect("nothing is in its way");
        }
    }
    host.apply(&made).is_ok().then_some(host)
}

#[test]
fn what_somebody_else_made_in_the_meantime_is_never_removed_by_taking_back() {
    let (mut cases, mut wrong) = (0, Vec::new());
    // What a destroy removes it was asked to remove.
    for subject in subjects().iter().filter(|subject| !subject.one_way) {
        for at in 0..subject.plan.steps.len() {
            for rival in [Rival::Person, Rival::OtherStack] {
                let Some(mut host) = beaten_to_it(subject, at, rival) else { continue };
                let before = host.clone();
                let mut scene = Scene::new(&host, &subject.plan);
                let mut outcome = scene.finish();
                if outcome == Outcome::Applied {
                    // It took what is there: then something else fails.
                    host.inject(host.calls() + subject.deepest(), Fault::FailBefore);
                    scene = Scene::new(&host, &subject.plan);
                    outcome = scene.finish();
                }
                let case = format!("{}, `{}` of {rival:?}", subject.name, subject.plan.steps[at].id);
                if !matches!(outcome, Outcome::Undone { .. }) {
                    wrong.push(format!("{case}: {outcome:?}"));
                }
                let mut differs = difference(&before, &scene.host).with_stores_open();
                differs.new.retain(|line| !may_stay(line));
                wrong.extend(differs.found(&case));
                cases += 1;
            }
        }
    }
    println!("somebody else was first: {cases} cases");
    none_of(&wrong);
}

#[test]
fn a_name_that_nobodys_container_bears_is_left_to_it() {
    let mut wrong = Vec::new();
    for subject in subjects() {
        let names = subject.plan.steps.iter().filter_map(|step| match &step.action {
            Action::Engine { effect: Effect::Create { container } } => Some(container.name.clone()),
            _ => None,
        });
        for name in names {
            let mut host = subject.host.clone();
            host.take_name(&name, &[]);
            let before = host.clone();
            let mut scene = Scene::new(&host, &subject.plan);
            let outcome = scene.finish();
            let case = format!("{}, nobody's `{name}`", subject.name);
            if !matches!(outcome, Outcome::Undone { .. }) {
                wrong.push(format!("{case}: {outcome:?}"));
            }
            let mut differs = difference(&before, &scene.host).with_stores_open();
            differs.new.retain(|line| !may_stay(line));
            wrong.extend(differs.found(&case));
        }
    }
    none_of(&wrong);
}
