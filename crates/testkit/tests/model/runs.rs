//! Whole plans on the modelled host. The sweeps over every call stand in `runner`, through the real loop.

use crate::common::{follow, planned, run, running};
use plan::{Effect, Outcome, Plan, SetContents};
use testkit::{
    Behaviour, ModelHost, Refusal,
    blog::{blog, policy},
};

fn deploy(host: &ModelHost, version: u32) -> Plan {
    planned(host, |facts, policy| plan::deploy(&blog(version), facts, policy))
}

fn backup(host: &ModelHost) -> Plan {
    planned(host, |facts, policy| plan::backup(&blog(1), facts, policy))
}

/// What serves: the image of `web`, whether it runs, and the release that is current.
fn serving(host: &ModelHost) -> (String, bool, Option<u64>) {
    let facts = host.observe();
    let web = facts.containers.iter().find(|seen| seen.name == "blog-web-1").expect("web is there");
    let runs = matches!(web.phase, plan::Phase::Running { .. });
    (web.image_id.clone(), runs, facts.current)
}

#[test]
fn a_stack_is_bootstrapped_deployed_and_then_left_alone() {
    let host = running();
    assert_eq!(serving(&host), ("id of app:1".to_owned(), true, Some(1)));
    let facts = host.observe();
    assert_eq!((facts.good, facts.secrets.len()), (Some(1), 2));
    assert_eq!(deploy(&host, 1).steps, [], "there is nothing to do");
}

#[test]
fn a_bad_release_ends_on_the_last_good_one_and_the_failed_container_is_kept() {
    let bad = [
        Behaviour::NeverReady,
        Behaviour::WrongJson,
        Behaviour::Ends { code: 1 },
        Behaviour::DiesAfter(std::time::Duration::from_secs(5)),
    ];
    for behaviour in bad {
        let mut host = running();
        host.behave("app:2", behaviour.clone());
        let plan = deploy(&host, 2);
        let outcome = run(&mut host, &plan);
        assert!(matches!(outcome, Outcome::Undone { .. }), "{behaviour:?}: {outcome:?}");
        assert_eq!(serving(&host), ("id of app:1".to_owned(), true, Some(1)), "{behaviour:?}");
        let names: Vec<String> = host.observe().containers.into_iter().map(|seen| seen.name).collect();
        assert!(names.contains(&"blog-web-2-failed".to_owned()), "{behaviour:?}: {names:?}");
        assert_eq!(host.rows("blog-db-1", "posts"), Some(3));
    }
}

#[test]
fn a_full_target_takes_no_half_a_set() {
    let mut host = running();
    let plan = backup(&host);
    host.fill_targets(true);
    assert!(matches!(run(&mut host, &plan), Outcome::Undone { .. }));
    assert!(!host.has_half_a_set() && host.manifests().is_empty());
}

/// A stack whose set was taken, that wrote two more posts since.
fn backed_up() -> (ModelHost, SetContents) {
    let mut host = running();
    let plan = backup(&host);
    assert_eq!(run(&mut host, &plan), Outcome::Applied);
    host.write_rows("blog-db-1", "posts", 2);
    let manifest = host.manifests().pop().expect("one set");
    let secrets = host.observe().releases[0].secrets.clone();
    (host, SetContents { manifest, shape: blog(1), secrets })
}

fn destroy(host: &mut ModelHost) {
    let plan = planned(host, |facts, policy| plan::destroy(&blog(1), true, facts, policy));
    assert_eq!(run(host, &plan), Outcome::Applied);
    assert!(host.observe().volumes.is_empty());
    host.lose_state_directory();
}

#[test]
fn a_destroyed_stack_comes_back_from_its_set_with_the_rows_of_the_sets_point() {
    let (mut host, contents) = backed_up();
    destroy(&mut host);
    let plan = planned(&host, |facts, policy| {
        plan::restore(&contents, &plan::restored_shape(&contents, facts), facts, policy)
    });
    assert_eq!(run(&mut host, &plan), Outcome::Applied);
    assert_eq!(host.rows("blog-db-1", "posts"), Some(3));
    assert_eq!(serving(&host), ("id of app:1".to_owned(), true, Some(1)));
}

#[test]
fn a_restore_without_shares_waits_and_with_a_damaged_set_moves_nothing() {
    let (mut host, contents) = backed_up();
    destroy(&mut host);
    let plan = planned(&host, |facts, policy| {
        plan::restore(&contents, &plan::restored_shape(&contents, facts), facts, policy)
    });
    let mut journal = Vec::new();
    host.give_shares(false);
    let waiting = follow(&mut host, &plan, &mut journal).expect_err("no shares");
    assert_eq!(waiting, Refusal::Waiting("the key shares of `bao`: `--shares FILE`".to_owned()));
    host.give_shares(true);
    assert_eq!(follow(&mut host, &plan, &mut journal), Ok(Outcome::Applied));

    let (mut host, contents) = backed_up();
    destroy(&mut host);
    host.damage(&contents.manifest.set);
    let plan = planned(&host, |facts, policy| {
        plan::restore(&contents, &plan::restored_shape(&contents, facts), facts, policy)
    });
    assert!(matches!(run(&mut host, &plan), Outcome::Undone { .. }));
    assert!(host.observe().volumes.is_empty(), "red before any data moves");
}

#[test]
fn a_drill_beside_the_live_stack_leaves_evidence_and_nothing_else() {
    let (mut host, contents) = backed_up();
    let before = host.looks();
    let facts = host.observe();
    let plan = plan::drill(&contents, &facts, &policy(&facts)).expect("it can be planned");
    assert_eq!(run(&mut host, &plan), Outcome::Applied);
    assert_eq!(host.evidence(), std::slice::from_ref(&contents.manifest.set));
    let throwaway = plan.project.as_str();
    let left: Vec<String> =
        host.looks().lines().filter(|line| line.contains(throwaway)).map(str::to_owned).collect();
    assert_eq!(left, Vec::<String>::new());
    assert!(host.looks().contains(before.lines().next().expect("a line")));
    let absent = Effect::RemoveVolume { name: format!("{throwaway}_dbdata") };
    assert_eq!(host.apply(&absent), Ok(plan::Output::Unchanged));
}
