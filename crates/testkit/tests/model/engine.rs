//! What the modelled engine does and refuses, effect by effect.

use std::time::Duration;

use crate::common::planned;
use plan::{Action, Effect, Entry, Output, Phase, desired};
use stack::ServiceName;
use testkit::{
    Behaviour, ModelHost, Refusal,
    blog::{blog, machine},
};

/// A machine on which the containers of `services` are made, and nothing is started.
fn made(services: &[&str]) -> ModelHost {
    let shape = blog(1);
    let mut host = machine();
    for key in shape.networks.keys() {
        let effect = Effect::EnsureNetwork { network: desired::network(&shape, key) };
        host.apply(&effect).expect("made");
    }
    for key in shape.volumes.keys() {
        host.apply(&Effect::EnsureVolume { volume: desired::volume(&shape, key) }).expect("made");
    }
    for service in services {
        host.apply(&create(service, &format!("blog-{service}-1"))).expect("made");
    }
    host
}

fn create(service: &str, name: &str) -> Effect {
    let shape = blog(1);
    let mut container = desired::container(&shape, &ServiceName::from(service), &[].into(), 1, "/state");
    container.name = name.to_owned();
    Effect::Create { container: Box::new(container) }
}

fn start(name: &str) -> Effect {
    Effect::Start { container: name.to_owned() }
}

fn rename(from: &str, to: &str) -> Effect {
    Effect::Rename { from: from.to_owned(), to: to.to_owned() }
}

fn phase(host: &ModelHost, name: &str) -> Phase {
    host.observe().containers.into_iter().find(|seen| seen.name == name).expect("it is there").phase
}

#[test]
fn what_a_real_engine_refuses_is_refused_for_its_own_reason() {
    let mut host = made(&["db", "web"]);
    let refused = |host: &mut ModelHost, effect: &Effect| host.apply(effect).expect_err("refused");

    host.take_name("blog-bao-1", &["blog_edge"]);
    assert_eq!(refused(&mut host, &create("bao", "blog-bao-1")), "the name `blog-bao-1` is taken");
    assert_eq!(
        refused(&mut host, &Effect::Remove { container: "blog-bao-1".to_owned() }),
        "container `blog-bao-1` belongs to no stack"
    );
    assert_eq!(
        refused(&mut host, &Effect::RemoveNetwork { name: "blog_edge".to_owned() }),
        "network `blog_edge` has `blog-bao-1` on it"
    );

    let missing = Effect::EnsureImage { image: "app:9".to_owned(), platform: None, always: false, id: None };
    assert_eq!(refused(&mut host, &missing), "image `app:9` does not exist");

    host.hold_port(8080, "nginx (process 7)");
    assert_eq!(refused(&mut host, &start("blog-web-1")), "port 8080 is held by nginx (process 7)");

    host.apply(&create("db", "blog-db-1-next")).expect("another name");
    host.apply(&start("blog-db-1")).expect("started");
    assert_eq!(
        refused(&mut host, &start("blog-db-1-next")),
        "volume `blog_dbdata` is being written by container `blog-db-1`"
    );
    assert_eq!(
        refused(&mut host, &Effect::RemoveVolume { name: "blog_dbdata".to_owned() }),
        "volume `blog_dbdata` is in use by container `blog-db-1`"
    );
    assert_eq!(
        refused(&mut host, &rename("blog-db-1", "blog-db-1-next")),
        "the name `blog-db-1-next` is taken"
    );
    assert_eq!(refused(&mut host, &start("blog-db-2")), "there is no container `blog-db-2`");
}

#[test]
fn what_is_so_already_is_unchanged() {
    let mut host = made(&["db"]);
    let stop = Effect::Stop { container: "blog-db-1".to_owned(), grace: None };
    for effect in [create("db", "blog-db-1"), start("blog-db-1")] {
        host.apply(&effect).expect("done");
        let before = host.looks();
        assert_eq!(host.apply(&effect), Ok(Output::Unchanged));
        assert_eq!(host.looks(), before);
    }
    host.apply(&stop).expect("stopped");
    host.apply(&rename("blog-db-1", "blog-db-1-was")).expect("renamed");
    assert_eq!(host.apply(&rename("blog-db-1", "blog-db-1-was")), Ok(Output::Unchanged));
    assert_eq!(host.apply(&stop), Ok(Output::Unchanged), "what is not there does not run");
    let remove = Effect::Remove { container: "blog-db-1-was".to_owned() };
    assert_eq!(host.apply(&remove), Ok(Output::None));
    assert_eq!(host.apply(&remove), Ok(Output::Unchanged));
}

#[test]
fn a_service_behaves_as_it_was_told_and_waiting_takes_no_time() {
    let web = ServiceName::from("web");
    let shape = blog(1);
    let probe = Action::Probe {
        service: web.clone(),
        container: "blog-web-1".to_owned(),
        probes: shape.services[&web].probes.clone(),
        deadline: Duration::from_secs(60),
    };
    let secs = Duration::from_secs;
    let cases = [
        (Behaviour::Ready, None),
        (Behaviour::ReadyAfter(secs(20)), None),
        (Behaviour::ReadyAfter(secs(90)), Some("`web` did not become ready: connection refused")),
        (Behaviour::NeverReady, Some("`web` did not become ready: connection refused")),
        (Behaviour::WrongJson, Some("`web` did not become ready: 200, status is \"wrong\"")),
        (Behaviour::Ends { code: 3 }, Some("`web` did not become ready: it ended with 3")),
    ];
    for (behaviour, expected) in cases {
        let mut host = made(&["web"]);
        host.behave("app:1", behaviour.clone());
        host.apply(&start("blog-web-1")).expect("started");
        let said = host.perform(&probe).err().map(|refusal| refusal.to_string());
        assert_eq!(said.as_deref(), expected, "{behaviour:?}");
    }
    let mut host = made(&["web"]);
    host.behave("web", Behaviour::DiesAfter(secs(5)));
    host.apply(&start("blog-web-1")).expect("started");
    host.perform(&probe).expect("it answers at first");
    host.pass(secs(5));
    assert_eq!(phase(&host, "blog-web-1"), Phase::Exited { code: 1 });
}

#[test]
fn an_action_the_journal_has_not_announced_is_refused() {
    let mut host = machine();
    let shape = blog(1);
    let plan = planned(&host, |facts, policy| plan::bootstrap(&shape, &[], facts, policy));
    let (first, second) = (&plan.steps[0], &plan.steps[1]);
    let started = Entry::Started { step: first.id.clone(), at: plan.made_at };
    let said = |host: &mut ModelHost, step: &plan::Step, journal: &[Entry]| {
        host.act(&plan, &step.action, journal).expect_err("refused")
    };
    let nothing = Refusal::Contract("nothing is announced, and something was done".to_owned());
    assert_eq!(said(&mut host, first, &[]), nothing);
    let other = Refusal::Contract(format!("`{}` was announced, and something else was done", first.id));
    assert_eq!(said(&mut host, second, std::slice::from_ref(&started)), other);
    host.act(&plan, &first.action, &[started]).expect("announced");
    assert_eq!(host.done(), [first.id.to_string()]);
}
